import type { Endpoint } from '../inet/index.ts';
import { SocketAddress } from '../linux/index.ts';
import type { PathPeer } from './path-device.ts';

interface Entry {
  endpoint: Endpoint;
  readonly address: SocketAddress;
}

/** The endpoints of peers as socket addresses, made anew only when a peer's endpoint has changed. */
export class PeerAddresses {
  readonly #entries = new WeakMap<PathPeer, Entry>();

  /** The socket address of `peer`, or `undefined` if it has no endpoint. */
  of(peer: PathPeer): SocketAddress | undefined {
    const { endpoint } = peer;
    if (endpoint === undefined) return undefined;
    const entry = this.#entries.get(peer);
    if (entry === undefined) {
      const address = new SocketAddress();
      address.fromEndpoint(endpoint);
      this.#entries.set(peer, { endpoint, address });
      return address;
    }
    // Endpoints are values: the peer gets another object when it roams.
    if (entry.endpoint !== endpoint) {
      entry.address.fromEndpoint(endpoint);
      entry.endpoint = endpoint;
    }
    return entry.address;
  }
}
