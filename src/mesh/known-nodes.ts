/** The other nodes that this one trusts, found by id, address and WireGuard key. Bounded. */
import { formatAddress, type Endpoint, type IpAddress } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { Description } from './description.ts';
import type { FirstContact } from './first-contact.ts';
import { toHex } from './hex.ts';
import type { TokenBucket } from './rate-limit.ts';
import type { Relation } from './relation.ts';
import type { Tunnel } from './tunnel.ts';

export const MAX_NODES = 1024;

/** On a link, at an endpoint that we were told to call, by its own call to us, or from another node. */
export type FoundBy = 'beacon' | 'bootstrap' | 'call' | 'gossip';

export interface KnownNode {
  description: Description;
  readonly foundBy: FoundBy;
  readonly tunnel: Tunnel;
  readonly bucket: TokenBucket;
  readonly relation: Relation;
  readonly firstContact: FirstContact;
  /** See `Eligible`. */
  readonly order: string;
  /** What its WireGuard peer has, as far as we know. */
  endpoint: Endpoint | undefined;
  /** The way that Babel has chosen to it; `via` may be the node itself. */
  route: { readonly via: KnownNode; readonly metric: number } | undefined;
  traffic: { readonly lastHandshakeAt: Millis | undefined; readonly rxBytes: number; readonly txBytes: number };
}

export class KnownNodes {
  /** The node known for longest first. */
  readonly #byNodeId = new Map<string, KnownNode>();
  readonly #byAddress = new Map<string, KnownNode>();
  readonly #byKey = new Map<string, KnownNode>();

  get(nodeId: string): KnownNode | undefined {
    return this.#byNodeId.get(nodeId);
  }

  withAddress(address: IpAddress): KnownNode | undefined {
    return this.#byAddress.get(formatAddress(address));
  }

  withKey(wireGuardPublicKey: Uint8Array): KnownNode | undefined {
    return this.#byKey.get(toHex(wireGuardPublicKey));
  }

  values(): KnownNode[] {
    return [...this.#byNodeId.values()];
  }

  has(node: KnownNode): boolean {
    return this.#byNodeId.get(node.description.nodeId) === node;
  }

  add(node: KnownNode): void {
    this.#byNodeId.set(node.description.nodeId, node);
    this.#index(node);
  }

  describe(node: KnownNode, description: Description): void {
    this.#byKey.delete(toHex(node.description.wireGuardPublicKey));
    node.description = description;
    this.#index(node);
  }

  delete({ description }: KnownNode): void {
    this.#byNodeId.delete(description.nodeId);
    this.#byAddress.delete(formatAddress(description.address));
    this.#byKey.delete(toHex(description.wireGuardPublicKey));
  }

  /**
   * Who must go so that `description` can come: where the table is full, the node known for longest among those that have
   * never answered through the tunnel. Or why it cannot come: a WireGuard key is the first one's who proved to have it,
   * for as long as he is known.
   */
  inTheWayOf(description: Description): KnownNode | 'key-taken' | 'address-taken' | 'table-full' | undefined {
    const { nodeId } = description;
    const neighbour = this.withAddress(description.address);
    if (neighbour !== undefined && neighbour.description.nodeId !== nodeId) return 'address-taken';
    const rival = this.withKey(description.wireGuardPublicKey);
    if (rival !== undefined && rival.description.nodeId !== nodeId) return 'key-taken';
    if (this.#byNodeId.has(nodeId) || this.#byNodeId.size < MAX_NODES) return undefined;
    for (const node of this.#byNodeId.values()) if (!node.tunnel.hasBeenUp) return node;
    return 'table-full';
  }

  #index(node: KnownNode): void {
    this.#byAddress.set(formatAddress(node.description.address), node);
    this.#byKey.set(toHex(node.description.wireGuardPublicKey), node);
  }
}
