import { IPV4, IPV6, quotedPacket } from '../packet/index.ts';
import type { PathDevice, PathPeer } from './path-device.ts';

/**
 * What peers say has become of our packets. The host believes an error about a packet whoever sends it, and ends a
 * connection or sends shorter packets: so a peer may speak of those alone that went where it may itself send from.
 */
export class IcmpErrors {
  readonly #device: PathDevice;
  /** As much of a packet as a look-up of its source needs. */
  readonly #answer = new Uint8Array(IPV6.end);

  constructor(device: PathDevice) {
    this.#device = device;
  }

  /** Whether the packet at `offset` is no ICMP error, or one that `peer` may send. Allocates nothing. */
  isHonest(peer: PathPeer, bytes: Uint8Array, offset: number, length: number): boolean {
    const quoted = quotedPacket(bytes, offset, length);
    if (quoted === 0) return true;
    if (quoted < 0) return false;
    const answer = this.#answer;
    const isV4 = bytes[offset] >> 4 === 4;
    const to = isV4 ? IPV4.source : IPV6.source;
    const from = quoted + (isV4 ? IPV4.destination : IPV6.destination);
    const size = isV4 ? 4 : 16;
    answer[0] = bytes[offset];
    for (let i = 0; i < size; i++) answer[to + i] = bytes[from + i];
    return this.#device.isSourceAllowed(answer, 0, peer);
  }
}
