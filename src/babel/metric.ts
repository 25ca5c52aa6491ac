/** Costs of links and metrics of routes (RFC 8966 §3.4.3, §3.5.2 and Appendix A; RFC 9616 §4). */
import { millis, type Millis } from '../machine/index.ts';
import { INFINITE } from './constants.ts';
import type { HelloHistory } from './hello-history.ts';

export type LinkKind = 'wired' | 'tunnel' | 'wireless';

/** Two out of three Hellos make a link that is up or down (Appendix A.2.1). */
const K = 2;
const J = 3;
/** Of how many Hellos ETX takes the mean (Appendix A.2.2). */
const ETX_WINDOW = 6;

/** What receiving from a neighbour costs. */
export function rxcostOf(
  kind: LinkKind,
  { multicast, unicast }: { readonly multicast: HelloHistory; readonly unicast: HelloHistory },
  nominal: number,
): number {
  if (kind !== 'wireless') return multicast.heard(J) >= K || unicast.heard(J) >= K ? nominal : INFINITE;
  const heard = multicast.heard(ETX_WINDOW);
  // The first Hello says little: a neighbour at the edge of reach is heard now and then.
  if (heard < K) return INFINITE;
  return Math.min(INFINITE, Math.round((nominal * multicast.known(ETX_WINDOW)) / heard));
}

/** What the link costs, both directions together. Positive. */
export function linkCost(kind: LinkKind, rxcost: number, txcost: number): number {
  if (rxcost >= INFINITE || txcost >= INFINITE) return INFINITE;
  if (kind !== 'wireless') return Math.max(1, txcost);
  return Math.min(INFINITE, Math.max(1, Math.round((Math.max(txcost, 256) * rxcost) / 256)));
}

/** Strictly monotonic, as §3.5.2 demands: `cost` is positive. */
export function metricPlus(metric: number, cost: number): number {
  return Math.min(INFINITE, metric + cost);
}

/** How a round-trip time becomes a cost (RFC 9616 §4.2). */
export interface RttCost {
  readonly min: Millis;
  readonly max: Millis;
  readonly maxPenalty: number;
}

export const DEFAULT_RTT_COST: RttCost = { min: millis(10), max: millis(120), maxPenalty: 150 };

export function rttPenalty(rtt: Millis, { min, max, maxPenalty }: RttCost): number {
  return Math.round(maxPenalty * Math.min(1, Math.max(0, (rtt - min) / (max - min))));
}

/**
 * The metric of a route, and its mean over time (Appendix A.3). Between changes the metric stands still, so the
 * exponential mean has a closed form.
 */
export class SmoothedMetric {
  readonly #timeConstant: Millis;
  #current: number;
  #smoothed: number;
  #at: Millis;

  constructor(metric: number, timeConstant: Millis, now: Millis) {
    this.#timeConstant = timeConstant;
    this.#current = metric;
    this.#smoothed = metric;
    this.#at = now;
  }

  get current(): number {
    return this.#current;
  }

  set(metric: number, now: Millis): void {
    // Infinity has no mean: what comes back begins anew.
    this.#smoothed = this.#current >= INFINITE || metric >= INFINITE ? metric : this.smoothed(now);
    this.#at = now;
    this.#current = metric;
  }

  smoothed(now: Millis): number {
    return this.#current + (this.#smoothed - this.#current) * Math.exp((this.#at - now) / this.#timeConstant);
  }
}
