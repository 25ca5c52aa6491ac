/**
 * Whether what is sent over relays arrives: while there is traffic for a node, it is asked for echoes inside the session
 * with it, which no relay can answer. A next hop over which none comes back is distrusted, if there is another to try; and
 * it is told, since it may have been misled itself (docs/decisions/0028-signed-seqnos.md).
 */
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { KnownNode } from './known-nodes.ts';

const INTERVAL = seconds(1);
/** After one that is not answered. */
const RETRY_INTERVAL = millis(250);
/** Where all ways have failed: the node may be dead, which no other way mends. */
const DEAD_INTERVAL = seconds(2);
/** For so long after the last traffic. */
const ACTIVE_FOR = seconds(3);
const COMPLAINT_FOR = seconds(6);
/**
 * So long without an answer is no way. Where no round trip is known, a handshake may be in it, too; what is known of the
 * first hop's counts then, but not for much: the next hop can be slow on purpose.
 */
const MIN_PATIENCE = seconds(1.5);
const MAX_PATIENCE_FOR_HOP = seconds(2);
const FIRST_PATIENCE = seconds(3.5);
const COMPLAINT_PATIENCE = seconds(2);
const COMPLAIN_AFTER = millis(400);
const COMPLAIN_INTERVAL = seconds(3);
/** Misses in a row; more where so many are missed by chance once in a thousand times. */
const MIN_MISSES = 6;
const MAX_MISSES = 20;
const CHANCE_OF_MISSES = 0.001;
const MISS_WEIGHT = 1 / 16;
const RTT_WEIGHT = 1 / 8;
/** The first samples may have waited for a handshake. */
const SHORTER_RTT_WEIGHT = 1 / 2;
const MAX_PROBES_KEPT = 32;
/** A probe is as long as a packet of an application may be, so that it does not go by its length. */
const MAX_PADDING = 1000;
/** What the neighbours say of other ways is awaited first. */
const LEAVE_TIME = millis(50);
/** For so long there may be no way, while the owner is asked for a seqno. Then a bad way is better than none. */
const REPLACE_TIME = seconds(1.5);
/** Of other nodes' complaints. */
const MAX_COMPLAINTS = 64;

export type WayWatchOutput =
  | {
      readonly kind: 'echo-request';
      readonly to: KnownNode;
      readonly nonce: bigint;
      readonly padding: number;
      /** A handshake that waits for an answer has waited on a way that failed. */
      readonly isNewWay: boolean;
    }
  /** Another next hop is to be taken. */
  | { readonly kind: 'distrust'; readonly via: KnownNode; readonly destination: KnownNode }
  /** There is no other way than that over `via`. */
  | { readonly kind: 'trust'; readonly via: KnownNode; readonly destination: KnownNode }
  | { readonly kind: 'complain'; readonly to: KnownNode; readonly destination: KnownNode };

export interface WayWatchOptions {
  readonly nonce: () => bigint;
  readonly chance: () => number;
  /** The next hops that Babel knows to the node and that are not distrusted. */
  readonly nextHops: (node: KnownNode) => readonly KnownNode[];
  readonly isDistrusted: (via: KnownNode, destination: KnownNode) => boolean;
}

interface Watched {
  activeUntil: Millis;
  isComplaint: boolean;
  /** The next hop that is being tested. */
  via: KnownNode | undefined;
  /** Those that may still be answered, the oldest first. */
  readonly probes: Map<bigint, { readonly sentAt: Millis; readonly via: KnownNode }>;
  unansweredSince: Millis | undefined;
  misses: number;
  missRate: number;
  rtt: Millis | undefined;
  dueAt: Millis;
  complainAt: Millis;
  /** The next hop that was left last, until there is another. */
  left: { readonly via: KnownNode; readonly at: Millis } | undefined;
  /** The next hops over which nothing has come back since the last answer. */
  readonly failed: Set<KnownNode>;
}

export class WayWatch {
  readonly #options: WayWatchOptions;
  readonly #watched = new Map<KnownNode, Watched>();
  readonly #output: WayWatchOutput[] = [];

  constructor(options: WayWatchOptions) {
    this.#options = options;
  }

  /** There is traffic for the node. */
  handleActive(node: KnownNode, now: Millis): void {
    if (relayOf(node) === undefined) return;
    const watched = this.#watch(node, now);
    watched.activeUntil = after(now, ACTIVE_FOR);
    watched.isComplaint = false;
  }

  /** Somebody's traffic for the node, which goes over us, does not seem to arrive. */
  handleComplaint(node: KnownNode, now: Millis): 'too-many-complaints' | undefined {
    if (relayOf(node) === undefined) return undefined;
    const complaints = [...this.#watched.values()].filter((one) => one.isComplaint && one.activeUntil > now);
    if (complaints.length >= MAX_COMPLAINTS) return 'too-many-complaints';
    const watched = this.#watch(node, now);
    if (watched.activeUntil < now) watched.isComplaint = true;
    watched.activeUntil = millis(Math.max(watched.activeUntil, after(now, COMPLAINT_FOR)));
    return undefined;
  }

  /** @returns whether the echo was one of ours */
  handleEcho(node: KnownNode, nonce: bigint, now: Millis): boolean {
    const watched = this.#watched.get(node);
    const probe = watched?.probes.get(nonce);
    if (watched === undefined || probe === undefined) return false;
    watched.probes.delete(nonce);
    // It may have waited for a handshake, and gone another way in the end.
    if (probe.via !== watched.via) return true;
    watched.rtt = smoothed(watched.rtt, now - probe.sentAt);
    watched.missRate = (1 - (1 - watched.missRate) * (1 - MISS_WEIGHT) ** watched.misses) * (1 - MISS_WEIGHT);
    watched.misses = 0;
    watched.unansweredSince = undefined;
    watched.failed.clear();
    watched.dueAt = after(now, INTERVAL);
    return true;
  }

  forget(node: KnownNode): void {
    this.#watched.delete(node);
    for (const { failed } of this.#watched.values()) failed.delete(node);
  }

  handleTimeout(now: Millis): void {
    for (const [node, watched] of this.#watched) if (watched.dueAt <= now) this.#handleDue(node, watched, now);
  }

  poll(): WayWatchOutput | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis {
    let next = Infinity;
    for (const { dueAt } of this.#watched.values()) next = Math.min(next, dueAt);
    return millis(next);
  }

  #watch(node: KnownNode, now: Millis): Watched {
    const known = this.#watched.get(node) ?? newWatched();
    this.#watched.set(node, known);
    // At rest nothing is said of the way.
    if (known.dueAt === Infinity) {
      known.unansweredSince = undefined;
      known.dueAt = now;
    }
    return known;
  }

  #handleDue(node: KnownNode, watched: Watched, now: Millis): void {
    const via = relayOf(node);
    if (via === undefined) return this.#handleNoWay(node, watched, now);
    watched.left = undefined;
    if (watched.activeUntil <= now) {
      watched.dueAt = millis(Infinity);
      return;
    }
    if (via !== watched.via) {
      watched.via = via;
      watched.unansweredSince = undefined;
      watched.misses = 0;
    }
    if (watched.unansweredSince !== undefined) watched.misses += 1;
    this.#complain(node, watched, now);
    if (hasFailed(watched, now) && this.#leave(node, watched, now)) return;
    this.#probe(node, watched, now);
  }

  /** Those who seemed to have a way had it over us, or from whom we have left. */
  #handleNoWay(node: KnownNode, watched: Watched, now: Millis): void {
    const { left } = watched;
    watched.dueAt = millis(Infinity);
    if (left === undefined || node.tunnel.isUp) return;
    watched.dueAt = after(left.at, REPLACE_TIME);
    if (watched.dueAt > now) return;
    watched.left = undefined;
    watched.dueAt = after(now, RETRY_INTERVAL);
    this.#output.push({ kind: 'trust', via: left.via, destination: node });
  }

  #probe(node: KnownNode, watched: Watched, now: Millis): void {
    const { via, probes, failed, rtt, misses } = watched;
    if (via === undefined) return;
    const nonce = this.#options.nonce();
    probes.set(nonce, { sentAt: now, via });
    if (probes.size > MAX_PROBES_KEPT) probes.delete(probes.keys().next().value as bigint);
    watched.unansweredSince ??= now;
    const retry = Math.max(RETRY_INTERVAL, (rtt ?? 0) / 4);
    watched.dueAt = after(now, failed.has(via) ? DEAD_INTERVAL : millis(retry));
    const padding = Math.floor(this.#options.chance() * MAX_PADDING);
    const isNewWay = failed.size > 0 && misses % 4 === 0;
    this.#output.push({ kind: 'echo-request', to: node, nonce, padding, isNewWay });
  }

  /** @returns whether there is another next hop to try */
  #leave(node: KnownNode, watched: Watched, now: Millis): boolean {
    const { via, failed } = watched;
    if (via === undefined) return false;
    const others = this.#options.nextHops(node).filter((other) => other !== via);
    // Who has lost its way and found one again is worth another try.
    for (const one of failed) {
      if (!others.includes(one) && !this.#options.isDistrusted(one, node)) failed.delete(one);
    }
    failed.add(via);
    if (others.every((other) => failed.has(other))) return false;
    watched.left = { via, at: now };
    watched.dueAt = after(now, LEAVE_TIME);
    this.#output.push({ kind: 'distrust', via, destination: node });
    return true;
  }

  #complain(node: KnownNode, watched: Watched, now: Millis): void {
    const { via, unansweredSince, rtt, complainAt } = watched;
    if (via === undefined || unansweredSince === undefined || complainAt > now) return;
    if (after(unansweredSince, millis(COMPLAIN_AFTER + 1.5 * (rtt ?? 0))) > now) return;
    watched.complainAt = after(now, COMPLAIN_INTERVAL);
    this.#output.push({ kind: 'complain', to: via, destination: node });
  }
}

/** The next hop; `undefined` if none is needed or there is none. */
function relayOf(node: KnownNode): KnownNode | undefined {
  const via = node.tunnel.isUp ? undefined : node.route?.via;
  return via === node ? undefined : via;
}

function hasFailed({ unansweredSince, misses, missRate, rtt, isComplaint, via }: Watched, now: Millis): boolean {
  if (unansweredSince === undefined) return false;
  const forHop = Math.min(MAX_PATIENCE_FOR_HOP, 3 * (via?.tunnel.smoothedRtt ?? 0));
  const first = (isComplaint ? COMPLAINT_PATIENCE : FIRST_PATIENCE) + forHop;
  const patience = rtt === undefined ? first : Math.max(MIN_PATIENCE, 2 * rtt + RETRY_INTERVAL);
  if (now - unansweredSince < patience) return false;
  const byChance = Math.ceil(Math.log(CHANCE_OF_MISSES) / Math.log(missRate));
  return misses >= Math.min(MAX_MISSES, Math.max(MIN_MISSES, byChance));
}

function smoothed(rtt: Millis | undefined, sample: number): Millis {
  if (rtt === undefined) return millis(sample);
  const weight = sample < rtt ? SHORTER_RTT_WEIGHT : RTT_WEIGHT;
  return millis(rtt * (1 - weight) + sample * weight);
}

function newWatched(): Watched {
  const never = millis(-Infinity);
  return {
    ...{ activeUntil: never, isComplaint: false, via: undefined, probes: new Map(), unansweredSince: undefined },
    ...{ misses: 0, missRate: 0, rtt: undefined, dueAt: millis(Infinity), complainAt: never },
    ...{ left: undefined, failed: new Set() },
  };
}
