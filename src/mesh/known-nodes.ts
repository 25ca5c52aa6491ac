/** The other nodes that this one trusts, found by id, address and WireGuard key. Bounded. */
import { formatAddress, type Endpoint, type IpAddress } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { Description } from './description.ts';
import type { FirstContact } from './first-contact.ts';
import { toHex } from './hex.ts';
import type { TokenBucket } from './rate-limit.ts';
import type { PathMtu } from './path-mtu/path-mtu.ts';
import type { Relation } from './relation.ts';
import type { Standing } from './standing.ts';
import type { Tunnel } from './tunnel.ts';
import type { Account } from './unproved/index.ts';

/** On a link, at an endpoint that we were told to call, by its own call to us, from another node, or in an earlier life. */
export type FoundBy = 'beacon' | 'bootstrap' | 'call' | 'gossip' | 'memory';

export interface KnownNode {
  description: Description;
  readonly foundBy: FoundBy;
  readonly tunnel: Tunnel;
  /** Of the way that its packets take. */
  readonly pathMtu: PathMtu;
  readonly standing: Standing;
  readonly bucket: TokenBucket;
  readonly account: Account;
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

  /** What of `description` belongs to another node: the first one that proved a WireGuard key keeps it while it is known. */
  takenOf({ nodeId, address, wireGuardPublicKey }: Description): 'key-taken' | 'address-taken' | undefined {
    const isOther = (node: KnownNode | undefined) => node !== undefined && node.description.nodeId !== nodeId;
    if (isOther(this.withAddress(address))) return 'address-taken';
    return isOther(this.withKey(wireGuardPublicKey)) ? 'key-taken' : undefined;
  }

  #index(node: KnownNode): void {
    this.#byAddress.set(formatAddress(node.description.address), node);
    this.#byKey.set(toHex(node.description.wireGuardPublicKey), node);
  }
}
