/**
 * The neighbours of a node: those with whom it keeps a direct path, speaks Babel, and passes news on. Either of two nodes
 * may wish it; the other agrees while it has few enough. Their number is bounded, whatever the size of the mesh.
 */
import type { Endpoint } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import { isDirect } from './endpoints.ts';
import type { KnownNode, KnownNodes } from './known-nodes.ts';
import type { Probe, ProbeReply, Wish } from './messages.ts';
import { chooseNeighbours, type Eligible } from './neighbour-choice.ts';
import { isWished } from './relation.ts';

/** Beyond these, only nodes are accepted that need us. */
export const MAX_NEIGHBOURS = 16;
/** Beyond these, nobody. */
export const MAX_NEEDED_NEIGHBOURS = 64;
/** Who was heard by then may be chosen: three beacons, or a call to a bootstrap endpoint. */
const HEARD_LATELY = seconds(35);
const CALLED_LATELY = seconds(75);
/** News come in flocks. */
const SETTLE_TIME = millis(100);
/** Nodes that failed may be tried again, others are not heard any more. */
const REVIEW_INTERVAL = seconds(10);
/** Before somebody who has refused us is asked again. */
const REFUSAL_TIME = seconds(120);

export class Neighbours {
  readonly #ownNodeId: string;
  readonly #nodes: KnownNodes;
  #chooseAt: Millis = millis(Infinity);

  constructor(ownNodeId: string, nodes: KnownNodes) {
    this.#ownNodeId = ownNodeId;
    this.#nodes = nodes;
  }

  isNeighbour({ tunnel, relation }: KnownNode): boolean {
    return tunnel.isUp && isWished(relation);
  }

  /** Something has changed that the choice depends on. */
  reviewSoon(now: Millis): void {
    this.#chooseAt = millis(Math.min(this.#chooseAt, now + SETTLE_TIME));
  }

  /** A Hello of ours was answered from `endpoint`. */
  handleHeard(node: KnownNode, endpoint: Endpoint, now: Millis): void {
    const { tunnel } = node;
    const wasEligible = tunnel.mayTry(now) && tunnel.candidates.heardOn(HEARD_LATELY, now).length > 0;
    tunnel.handleHeard(endpoint, now);
    if (!wasEligible) this.reviewSoon(now);
  }

  /** Something unsigned came from where the node has answered before. */
  handleUnsigned({ tunnel }: KnownNode, endpoint: Endpoint, now: Millis): void {
    const wasEligible = tunnel.mayTry(now) && tunnel.candidates.heardOn(HEARD_LATELY, now).length > 0;
    tunnel.candidates.noteUnsigned(endpoint, now);
    if (!wasEligible) this.reviewSoon(now);
  }

  /** @returns whether the node is to be a neighbour */
  handleProbe(node: KnownNode, probe: Probe, now: Millis): boolean {
    const { relation, tunnel } = node;
    relation.theirs = this.#mayAccept(node, probe.wish) ? probe.wish : 'no';
    tunnel.want(isWished(relation), now);
    tunnel.handleProbe(probe, isDirect(node.endpoint), now);
    return isWished(relation);
  }

  handleProbeReply(node: Pick<KnownNode, 'relation' | 'tunnel'>, { wish, isNeighbour }: ProbeReply, now: Millis): void {
    const { relation } = node;
    // Whoever was told another wish since has not refused this one.
    if (isNeighbour || wish !== relation.ours) return;
    relation.theirs = 'no';
    if (relation.ours !== 'no') {
      relation.ours = 'no';
      relation.refusedUntil = after(now, REFUSAL_TIME);
      this.reviewSoon(now);
    }
    node.tunnel.want(false, now);
  }

  handleLeave(node: KnownNode, now: Millis): void {
    node.tunnel.handleLeave(now);
    this.handleLost(node, now);
  }

  handleLost({ relation }: KnownNode, now: Millis): void {
    relation.theirs = 'no';
    this.reviewSoon(now);
  }

  /** @returns those that are wanted otherwise than before, and can be told */
  handleTimeout(now: Millis): KnownNode[] {
    if (this.#chooseAt > now) return [];
    this.#chooseAt = after(now, REVIEW_INTERVAL);
    const wishes = chooseNeighbours(this.#ownNodeId, this.#eligible(now));
    const changed: KnownNode[] = [];
    for (const node of this.#nodes.values()) {
      const wish = wishes.get(node.description.nodeId) ?? 'no';
      const { relation, tunnel } = node;
      if (wish !== relation.ours && tunnel.isUp) changed.push(node);
      relation.ours = wish;
      tunnel.want(isWished(relation), now);
    }
    return changed;
  }

  nextTimeout(): Millis {
    return this.#chooseAt;
  }

  #eligible(now: Millis): Eligible[] {
    return this.#nodes.values().flatMap(({ description, order, endpoint, tunnel, relation }) => {
      if (relation.refusedUntil > now || tunnel.candidates.isEmpty || !tunnel.mayTry(now)) return [];
      const { nodeId } = description;
      const heardOn = tunnel.candidates.heardOn(HEARD_LATELY, now);
      const called = tunnel.candidates.heardOn(CALLED_LATELY, now).filter((link) => link === 0);
      const inUse = tunnel.isUp && endpoint !== undefined ? [endpoint.scopeId] : [];
      const links = [...new Set([...heardOn, ...called, ...inUse])];
      return [{ nodeId, order, heardOn: links, wasWanted: relation.ours !== 'no' }];
    });
  }

  #mayAccept(node: KnownNode, wish: Wish): boolean {
    if (wish === 'no' || node.relation.ours !== 'no') return true;
    const others = this.#nodes.values().filter((other) => other !== node && isWished(other.relation));
    return others.length < (wish === 'needs' ? MAX_NEEDED_NEIGHBOURS : MAX_NEIGHBOURS);
  }
}
