import { formatAddress, prefixOf, type IpAddress } from '../inet/index.ts';
import { isMeshAddress } from '../packet/index.ts';
import { AllowedIps, InvalidConfigurationError } from '../wireguard/index.ts';
import type { PathPeer } from './path-device.ts';

/** Routes at most: more nodes than any mesh has had. */
const MOST_ROUTES = 16_384;
const ADDRESS_BITS = 128;

/** Packets to a node go over a neighbour: without `via`, there is no way. */
export interface RelayRouteChange {
  readonly destination: IpAddress;
  /** The neighbour's public key. */
  readonly via: Uint8Array | undefined;
}

interface NextHop {
  readonly publicKey: Uint8Array;
  peer: PathPeer | undefined;
  routes: number;
}

/** Over which neighbour relay packets go to which node. A lookup allocates nothing. */
export class RelayTable {
  readonly #findPeer: (publicKey: Uint8Array) => PathPeer | undefined;
  readonly #hops = new Map<string, NextHop>();
  readonly #hopsByDestination = new Map<string, NextHop>();
  /** The same by the address as it stands in a packet. */
  readonly #routes = new AllowedIps<NextHop>();

  constructor(findPeer: (publicKey: Uint8Array) => PathPeer | undefined) {
    this.#findPeer = findPeer;
  }

  /** @throws InvalidConfigurationError, with nothing changed */
  change(changes: readonly RelayRouteChange[]): void {
    if (this.#hopsByDestination.size + changes.length > MOST_ROUTES)
      throw new InvalidConfigurationError(`more than ${MOST_ROUTES} relay routes`);
    for (const { destination } of changes) {
      if (!isMeshAddress(destination.bytes, 0))
        throw new InvalidConfigurationError(`${formatAddress(destination)} is no address of a mesh`);
    }
    for (const { destination, via } of changes) {
      this.#remove(destination);
      if (via !== undefined) this.#add(destination, via);
    }
  }

  /** To be called when peers have come or gone: routes stay, whether their next hop is a peer or not. */
  findPeers(): void {
    for (const hop of this.#hops.values()) hop.peer = this.#findPeer(hop.publicKey);
  }

  /** The neighbour over which the IPv6 packet at `offset` goes to its destination. */
  lookup(bytes: Uint8Array, offset: number): PathPeer | undefined {
    return this.#routes.lookupDestination(bytes, offset)?.peer;
  }

  #add(destination: IpAddress, via: Uint8Array): void {
    const key = String.fromCharCode(...via);
    const hop = this.#hops.get(key) ?? { publicKey: via, peer: this.#findPeer(via), routes: 0 };
    hop.routes++;
    this.#hops.set(key, hop);
    this.#hopsByDestination.set(formatAddress(destination), hop);
    this.#routes.add(prefixOf(destination, ADDRESS_BITS), hop);
  }

  #remove(destination: IpAddress): void {
    const text = formatAddress(destination);
    const hop = this.#hopsByDestination.get(text);
    if (hop === undefined) return;
    this.#hopsByDestination.delete(text);
    this.#routes.remove(prefixOf(destination, ADDRESS_BITS), hop);
    if (--hop.routes > 0) return;
    this.#routes.removeAll(hop);
    this.#hops.delete(String.fromCharCode(...hop.publicKey));
  }
}
