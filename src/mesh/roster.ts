/** Who belongs here: takes descriptions whose signature is right, judges them, and keeps a WireGuard peer for each node. */
import { addressesEqual, bytesEqual, endpointsEqual, prefixOf, type Endpoint } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { PeerChange } from '../wireguard/configuration.ts';
import type { Description } from './description.ts';
import { Candidates } from './endpoints.ts';
import { FirstContact } from './first-contact.ts';
import { Newest } from './gossip.ts';
import { KnownNodes, type FoundBy, type KnownNode } from './known-nodes.ts';
import type { NodeEvent } from './node-interface.ts';
import type { Outbox } from './outbox.ts';
import { TokenBucket } from './rate-limit.ts';
import { NO_RELATION } from './relation.ts';
import { judge, type TrustPolicy } from './trust.ts';
import { Tunnel } from './tunnel.ts';

const NEIGHBOUR_RATE = { perSecond: 100, burst: 300 };
const NO_TRAFFIC: KnownNode['traffic'] = { lastHandshakeAt: undefined, rxBytes: 0, txBytes: 0 };

/** How a description came to us. */
export interface Origin {
  readonly foundBy: FoundBy;
  /** Where the node itself answered from. */
  readonly endpoint?: Endpoint;
  /** The node id of who passed it on. */
  readonly neighbour?: string;
}

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
    const inTheWay = this.nodes.inTheWayOf(description);
    if (inTheWay === 'table-full') return this.#context.outbox.drop(inTheWay) as undefined;
    if (typeof inTheWay === 'object') {
      this.#context.outbox.drop('node-evicted');
      this.remove(inTheWay);
    }
    this.newest.accept(description);
    const known = this.nodes.get(description.nodeId);
    const node = known === undefined ? this.#add(description, origin.foundBy) : this.#update(known, description, now);
    node.tunnel.candidates.describe(description.endpoints.map(({ endpoint }) => endpoint));
    node.tunnel.start(now);
    return node;
  }

  remove(node: KnownNode): void {
    this.nodes.delete(node);
    this.newest.forget(node.description.nodeId);
    this.#context.onRemoved(node);
    this.#context.outbox.configure({ publicKey: node.description.wireGuardPublicKey, remove: true });
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
    switch (this.nodes.inTheWayOf(description)) {
      case 'key-taken':
        return 'it claims the WireGuard key of another node';
      case 'address-taken':
        return 'it has the address of another node';
      default:
        return undefined;
    }
  }

  #add(description: Description, foundBy: FoundBy): KnownNode {
    const tunnel = new Tunnel(new Candidates(), this.#context.nonce);
    const bucket = new TokenBucket(NEIGHBOUR_RATE);
    const order = this.#context.orderOf(description.nodeId);
    const node: KnownNode = {
      ...{
        description,
        foundBy,
        order,
        tunnel,
        bucket,
        relation: { ...NO_RELATION },
        firstContact: new FirstContact(),
      },
      ...{ endpoint: undefined, route: undefined, traffic: NO_TRAFFIC },
    };
    this.nodes.add(node);
    this.#context.outbox.event('found', node);
    this.#context.outbox.event('trusted', node);
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
