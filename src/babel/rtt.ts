/** The round-trip time to a neighbour, by timestamps in Hellos and IHUs (RFC 9616). */
import { millis, seconds, type Millis } from '../machine/index.ts';
import { rttPenalty, type RttCost } from './metric.ts';

const SMOOTHING = 0.836;
/** What is older, or appears to come from the future, gives no sample (§3.3). */
const MAX_AGE_MICROS = seconds(180) * 1000;
/** A penalty that has changed by less than this part of the greatest stays what it was. */
const PENALTY_STEP = 1 / 16;

/** A point in time as timestamps have it: microseconds modulo 2^32. */
export function timestampOf(now: Millis): number {
  return Math.floor(now * 1000) % 0x1_0000_0000;
}

export class RttEstimator {
  readonly #cost: RttCost | undefined;
  #last: { readonly origin: number; readonly receive: number } | undefined;
  #smoothed: number | undefined;
  #penalty = 0;

  /** `cost`: left out, round-trip times cost nothing. */
  constructor(cost: RttCost | undefined) {
    this.#cost = cost;
  }

  /** What an IHU to the neighbour carries: when its last Hello was sent, and when heard. */
  get timestamps(): { readonly origin: number; readonly receive: number } | undefined {
    return this.#last;
  }

  get rtt(): Millis | undefined {
    return this.#smoothed === undefined ? undefined : millis(this.#smoothed);
  }

  get penalty(): number {
    return this.#penalty;
  }

  /** Takes a packet with a Hello of the time `transmit`, and the timestamps of an IHU for us if it had one. */
  handlePacket(transmit: number, echoed: { origin: number; receive: number } | undefined, now: Millis): void {
    const received = timestampOf(now);
    const last = this.#last;
    this.#last = { origin: transmit, receive: received };
    if (echoed === undefined) return;
    const ours = sinceMicros(echoed.origin, received);
    const theirs = sinceMicros(echoed.receive, transmit);
    if (ours < 0 || ours > MAX_AGE_MICROS || theirs < 0 || theirs > ours) return;
    if (last !== undefined) {
      const step = sinceMicros(last.origin, transmit);
      if (step < 0 || step > MAX_AGE_MICROS) return;
    }
    this.sample(millis((ours - theirs) / 1000));
  }

  /** Takes a measurement, of this protocol or of another. */
  sample(rtt: Millis): void {
    this.#smoothed = this.#smoothed === undefined ? rtt : SMOOTHING * this.#smoothed + (1 - SMOOTHING) * rtt;
    if (this.#cost === undefined) return;
    const penalty = rttPenalty(millis(this.#smoothed), this.#cost);
    const isExtreme = penalty === 0 || penalty === this.#cost.maxPenalty;
    if (isExtreme || Math.abs(penalty - this.#penalty) >= this.#cost.maxPenalty * PENALTY_STEP) this.#penalty = penalty;
  }
}

/** From `earlier` to `later`, negative if it is the other way round. */
function sinceMicros(earlier: number, later: number): number {
  return (later - earlier) | 0;
}
