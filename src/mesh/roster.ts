/** Who belongs here: takes descriptions whose signature is right, judges them, and keeps a WireGuard peer for each node. */
import { addressesEqual, bytesEqual, endpointsEqual, prefixOf, type Endpoint } from '../inet/index.ts';
import { after, type Millis } from '../machine/index.ts';
import type { PeerChange } from '../wireguard/configuration.ts';
import type { Description } from './description.ts';
import { Candidates } from './endpoints.ts';
import { FirstContact } from './first-contact.ts';
import { Newest } from './gossip.ts';
import { KnownNodes, type FoundBy, type KnownNode } from './known-nodes.ts';
import type { NodeEvent } from './node-interface.ts';
import type { Outbox } from './outbox.ts';
import { PathMtu } from './path-mtu/path-mtu.ts';
import { RateLimit, TokenBucket } from './rate-limit.ts';
import { NO_RELATION } from './relation.ts';
import { CLAIM_LIFE, displacedBy, isTableFull, sourceKey, type Standing } from './standing.ts';
import { judge, type TrustPolicy } from './trust.ts';
import { Tunnel } from './tunnel.ts';
import { Account } from './unproved/index.ts';

const NEIGHBOUR_RATE = { perSecond: 100, burst: 300 };
/** Of the identities that come by themselves: asking and verifying costs up to a millisecond. */
const NEWCOMER_RATES = {
  everybody: { perSecond: 20, burst: 64 },
  perSource: { perSecond: 2, burst: 16 },
  maxSources: 1024,
};
/** Of those that are not pinned, so that the log can name them and is not flooded. */
const STRANGER_RATE = { perSecond: 0.1, burst: 8 };
/** Of nodes that others have vouched for and that have to make room. Shares even out by it; two members cannot keep us busy. */
const DISPLACEMENT_RATE = { perSecond: 0.1, burst: 16 };
const NO_TRAFFIC: KnownNode['traffic'] = { lastHandshakeAt: undefined, rxBytes: 0, txBytes: 0 };

/** How a description came to us. */
export interface Origin {
  readonly foundBy: FoundBy;
  /** Where the node itself answered from. */
  readonly endpoint?: Endpoint;
  /** The node id of who passed it on. */
  readonly neighbour?: string;
}

type Newcomer = Pick<KnownNode, 'description' | 'foundBy'> & { readonly endpoint?: Endpoint | undefined };

export interface RosterContext {
  readonly trust: TrustPolicy;
  readonly own: () => Description;
  readonly nonce: () => bigint;
  readonly outbox: Outbox;
  /** Where another node stands in the random order that it and we have in common. */
  readonly orderOf: (nodeId: string) => string;
  readonly onRemoved: (node: KnownNode) => void;
}

export class Roster {
  readonly nodes = new KnownNodes();
  readonly newest = new Newest();
  readonly #context: RosterContext;
  readonly #newcomers = new RateLimit(NEWCOMER_RATES);
  readonly #strangers = new TokenBucket(STRANGER_RATE);
  readonly #displacements = new TokenBucket(DISPLACEMENT_RATE);
  #hasSaidFull = false;

  constructor(context: RosterContext) {
    this.#context = context;
  }

  /** @returns the node, if it is welcome and the description is news */
  admit(description: Description, origin: Origin, now: Millis): KnownNode | undefined {
    if (!this.newest.isNews(description)) return this.#context.outbox.drop('description-stale') as undefined;
    const verdict = judge(this.#context.trust, description);
    if (!verdict.trusted) return this.#refuse('refused', description, origin, verdict.reason);
    const contradiction = this.#contradictionOf(description);
    if (contradiction !== undefined) return this.#refuse('identity-contradiction', description, origin, contradiction);
    const known = this.nodes.get(description.nodeId);
    const standing = this.#standingOf(origin, now);
    if (known === undefined && !this.#makeRoom(standing, { description, ...origin }, now)) return undefined;
    this.newest.accept(description);
    const node =
      known === undefined ? this.#add(description, origin.foundBy, standing) : this.#update(known, description, now);
    if (origin.neighbour !== undefined) this.vouch(description, origin.neighbour, now);
    node.account.earn(description.bytes.length);
    node.tunnel.candidates.describe(description.endpoints.map(({ endpoint }) => endpoint));
    node.tunnel.start(now);
    return node;
  }

  /**
   * Whether to ask a stranger for its description, which costs us two verifications: not if it would be refused, and of
   * those that come by themselves only so many in a time.
   */
  isWorthAsking(nodeId: string, from: Endpoint, now: Millis): boolean {
    const isPinned = this.#context.trust.mode === 'pinned';
    if (!this.mayBeAsked(nodeId, now)) return false;
    if (isPinned || this.nodes.get(nodeId) !== undefined || this.#newcomers.admits(sourceKey(from), now)) return true;
    this.#context.outbox.drop('newcomer-rate-limited');
    return false;
  }

  /** Strangers to a pinned node are judged by their node ids; a few are asked all the same, for the log to name them. */
  mayBeAsked(nodeId: string, now: Millis): boolean {
    const { trust, outbox } = this.#context;
    if (trust.mode !== 'pinned' || trust.nodeIds.has(nodeId) || this.#strangers.take(now)) return true;
    outbox.drop('stranger-unasked');
    return false;
  }

  /** A neighbour knows of the node as well. @returns whether others are to hear of it now, and did not before */
  vouch({ nodeId }: Pick<Description, 'nodeId'>, neighbour: string, now: Millis): boolean {
    const node = this.nodes.get(nodeId);
    if (node?.standing.kind !== 'claimed') return false;
    const standing = { kind: 'vouched', by: neighbour } as const;
    return this.#makeRoom(standing, node, now) && this.#raise(node, standing);
  }

  /** The node has answered inside the tunnel. @returns as `vouch` */
  prove(node: KnownNode): boolean {
    const { kind } = node.standing;
    if (kind === 'proved') return false;
    this.#raise(node, { kind: 'proved', by: node.description.nodeId });
    return kind === 'claimed';
  }

  /** Those that nobody has vouched for, and that have not shown in time that they are there. */
  forgetClaims(now: Millis): void {
    for (const node of this.nodes.values()) {
      const { kind, since } = node.standing;
      if (kind !== 'claimed' || after(since, CLAIM_LIFE) > now) continue;
      this.#context.outbox.drop('claim-expired');
      this.remove(node);
    }
  }

  remove(node: KnownNode): void {
    this.nodes.delete(node);
    this.newest.forget(node.description.nodeId);
    this.#context.onRemoved(node);
    this.#context.outbox.configure({ publicKey: node.description.wireGuardPublicKey, remove: true });
  }

  #standingOf({ neighbour, endpoint, foundBy }: Origin, now: Millis): Standing {
    if (this.#context.trust.mode === 'pinned') return { kind: 'proved', by: '', since: now };
    if (neighbour !== undefined) return { kind: 'vouched', by: neighbour, since: now };
    if (foundBy === 'memory' && endpoint === undefined) return { kind: 'vouched', by: '', since: now };
    return { kind: 'claimed', by: endpoint === undefined ? '' : sourceKey(endpoint), since: now };
  }

  #raise(node: KnownNode, { kind, by }: Pick<Standing, 'kind' | 'by'>): true {
    Object.assign(node.standing, { kind, by });
    this.newest.share(node.description.nodeId);
    return true;
  }

  /** @returns whether there is room */
  #makeRoom(standing: Pick<Standing, 'kind' | 'by'>, newcomer: Newcomer, now: Millis): boolean {
    const { outbox } = this.#context;
    const displaced = displacedBy(standing, this.nodes.values(), now);
    if (displaced === 'full') {
      // Those that are merely claimed go by themselves.
      const isOfClaims = standing.kind === 'claimed' && !isTableFull(this.nodes.values());
      outbox.drop(isOfClaims ? 'claims-full' : 'table-full');
      if (!isOfClaims) this.#sayFull(newcomer);
      return false;
    }
    if (displaced === undefined) return true;
    if (displaced.standing.kind === 'vouched') {
      this.#sayFull(newcomer);
      if (!this.#displacements.take(now)) {
        outbox.drop('displacement-rate-limited');
        return false;
      }
    }
    outbox.drop('node-evicted');
    this.remove(displaced);
    return true;
  }

  /** Once, not for each that comes: the status counts them. */
  #sayFull({ description, endpoint, foundBy }: Newcomer): void {
    if (this.#hasSaidFull) return;
    this.#hasSaidFull = true;
    this.#context.outbox.event('table-full', { description, endpoint, foundBy });
  }

  /** Remembered, so that the same description is neither fetched nor reported again. */
  #refuse(kind: NodeEvent['kind'], description: Description, origin: Origin, reason: string): undefined {
    if (this.newest.refuse(description)) {
      this.#context.outbox.event(kind, { description, endpoint: origin.endpoint, foundBy: origin.foundBy }, reason);
    }
  }

  #contradictionOf(description: Description): string | undefined {
    const own = this.#context.own();
    if (keysEqual(description, own)) return 'it claims our WireGuard key';
    if (addressesEqual(description.address, own.address)) return 'it has our address';
    switch (this.nodes.takenOf(description)) {
      case 'key-taken':
        return 'it claims the WireGuard key of another node';
      case 'address-taken':
        return 'it has the address of another node';
      default:
        return undefined;
    }
  }

  #add(description: Description, foundBy: FoundBy, standing: Standing): KnownNode {
    const tunnel = new Tunnel(new Candidates(), this.#context.nonce);
    const bucket = new TokenBucket(NEIGHBOUR_RATE);
    const order = this.#context.orderOf(description.nodeId);
    const node: KnownNode = {
      ...{
        description,
        foundBy,
        order,
        tunnel,
        pathMtu: new PathMtu(this.#context.nonce),
        standing,
        bucket,
        account: new Account(),
        relation: { ...NO_RELATION },
        firstContact: new FirstContact(),
      },
      ...{ endpoint: undefined, route: undefined, traffic: NO_TRAFFIC },
    };
    this.nodes.add(node);
    if (standing.kind === 'claimed') this.newest.hold(description.nodeId);
    // Who was known before the daemon was started is no news.
    const isNews = foundBy !== 'memory' || standing.kind === 'claimed';
    if (isNews) this.#context.outbox.event('found', node);
    if (isNews) this.#context.outbox.event('trusted', node);
    this.#context.outbox.configure(newPeer(description));
    return node;
  }

  #update(node: KnownNode, description: Description, now: Millis): KnownNode {
    const before = node.description;
    this.nodes.describe(node, description);
    const isRekeyed = !keysEqual(before, description);
    if (isRekeyed) {
      this.#context.outbox.configure({ publicKey: before.wireGuardPublicKey, remove: true }, newPeer(description));
      node.endpoint = undefined;
      node.traffic = NO_TRAFFIC;
      node.tunnel.restart(now);
    }
    if (isRekeyed || looksDifferent(before, description)) this.#context.outbox.event('updated', node);
    return node;
  }
}

/** The peer gets its endpoint when there is one to try; until then the node may still come to us. */
function newPeer({ wireGuardPublicKey, address }: Description): PeerChange {
  return { publicKey: wireGuardPublicKey, replaceAllowedIps: true, allowedIps: [{ prefix: prefixOf(address, 128) }] };
}

function keysEqual(a: Description, b: Description): boolean {
  return bytesEqual(a.wireGuardPublicKey, b.wireGuardPublicKey);
}

function looksDifferent(a: Description, b: Description): boolean {
  if (a.hostName !== b.hostName || a.endpoints.length !== b.endpoints.length) return true;
  return a.endpoints.some(({ endpoint }, i) => !endpointsEqual(endpoint, b.endpoints[i].endpoint));
}
