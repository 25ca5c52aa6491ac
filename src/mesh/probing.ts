/**
 * When to probe a direct path, and when it is lost. Often while it carries traffic, so that what fails is left within
 * half a second; rarely at rest, so that a mesh of many nodes costs little.
 *
 * At rest one of the two probes, which refreshes the NATs of both. The lowest bit of the nonce, which both know, says who
 * does so next: from the inside a NAT's mapping opens again unnoticed, so that only a probe from the outside shows that it
 * had closed. Who has seen that goes on alone, more often. Who is inside speaks up, for want of a probe, before the other
 * takes the path for lost.
 */
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { RestingInterval } from './resting-interval.ts';
import { RoundTrip } from './round-trip.ts';

const ACTIVE_INTERVAL = millis(200);
/** For so long after the last traffic a path is probed as one that carries it. */
const ACTIVE_FOR = seconds(3);
/** Once the traffic has ended the interval grows, up to the resting one. */
const GROWTH = 1.5;
/** Who is not the next to probe waits for longer than the interval of the other, by less than REST_LOST_AFTER. */
const PATIENCE = 1.25;
const FIRST_INTERVAL = seconds(1);
/** At rest: a probe that is not answered by then is followed by another, and nothing for so long means lost. */
const REST_WAIT = seconds(1);
const REST_LOST_AFTER = seconds(15);
/** Probes missed in a row that mean lost; more where so many are missed by chance once in a thousand times. */
const MIN_MISSES = 3;
const MAX_MISSES = 15;
const CHANCE_OF_MISSES = 0.001;
/** After a send that the kernel refused there are two more probes with little time. */
const SUSPECT_WAIT = millis(50);
/** As many as are under way with the longest round trip, and those that may have missed. */
const MAX_PROBES_KEPT = 64;
/** Losses come in bursts: the rate rises faster than it falls. */
const MISS_WEIGHT = 1 / 16;
const ANSWER_WEIGHT = 1 / 64;

export type ProbingOutput =
  { readonly kind: 'probe'; readonly nonce: bigint; readonly isConfirmed: boolean } | { readonly kind: 'lost' };

export interface ProbingParts {
  readonly resting: RestingInterval;
  /** When the path carried traffic last. */
  readonly activeAt: Millis;
  readonly bound: Millis;
}

export class Probing {
  readonly #nonce: () => bigint;
  readonly #resting: RestingInterval;
  readonly #output: ProbingOutput[] = [];
  /** Probes that have not been answered, the oldest first. */
  readonly #sentAtByNonce = new Map<bigint, Millis>();
  #dueAt: Millis;
  #interval = FIRST_INTERVAL;
  #activeAt: Millis;
  #sentAt = millis(-Infinity);
  #heardAt: Millis;
  /** When the first probe was sent that nothing has been heard of since. */
  #unansweredSince: Millis | undefined;
  /** Whether it is us who probe next, where both probed at once. */
  #isNextOfBoth: boolean | undefined;
  /** When the newest probe was sent that has been answered. */
  #answeredSentAt = millis(-Infinity);
  #missRate = 0;
  #isSuspect = false;
  readonly #roundTrip: RoundTrip;

  /**
   * The first probe goes out at once. What is learned of the `resting` interval outlives the path. The round trip is no
   * longer than `bound`.
   */
  constructor(nonce: () => bigint, parts: ProbingParts, now: Millis) {
    const { resting, activeAt, bound } = parts;
    this.#nonce = nonce;
    this.#resting = resting;
    this.#roundTrip = new RoundTrip(bound);
    this.#activeAt = activeAt;
    this.#heardAt = now;
    this.#dueAt = now;
  }

  get smoothedRtt(): Millis | undefined {
    return this.#roundTrip.smoothed;
  }

  /** The path carries traffic. */
  handleActive(now: Millis): void {
    this.#activeAt = now;
    this.#interval = FIRST_INTERVAL;
    const wait = this.#unansweredSince === undefined ? ACTIVE_INTERVAL : this.#wait(now);
    this.#bringForward(millis(Math.max(now, this.#sentAt + wait)));
  }

  /** The kernel has refused to send on the path. */
  handleError(now: Millis): void {
    if (this.#isSuspect) return;
    this.#isSuspect = true;
    this.#bringForward(now);
  }

  /** The other side probes with this nonce, and was answered the last time: ours may wait. */
  handleConfirmed(nonce: bigint, now: Millis): void {
    if (this.#unansweredSince !== undefined) {
      const newest = [...this.#sentAtByNonce.keys()].at(-1);
      if (newest !== undefined) this.#isNextOfBoth = newest < nonce;
      return;
    }
    this.#heardAt = now;
    if (this.smoothedRtt === undefined || this.#isActive(now)) return;
    this.#dueAt = after(now, this.#nextInterval(!this.#resting.isCut && !goesOn(nonce)));
  }

  /** @returns whether the probe was one of ours */
  handleReply(nonce: bigint, now: Millis): boolean {
    const sentAt = this.#sentAtByNonce.get(nonce);
    if (sentAt === undefined) return false;
    this.#sentAtByNonce.delete(nonce);
    this.#roundTrip.handleSample(millis(now - sentAt));
    const misses = this.#missesAt(now);
    // Misses that an answer ends were by chance; those of a path that has failed say nothing of chance.
    this.#missRate = (1 - (1 - this.#missRate) * (1 - MISS_WEIGHT) ** misses) * (1 - ANSWER_WEIGHT);
    if (misses >= MIN_MISSES) this.#reportSilence();
    this.#answeredSentAt = millis(Math.max(this.#answeredSentAt, sentAt));
    this.#unansweredSince = undefined;
    this.#heardAt = now;
    this.#isSuspect = false;
    this.#dueAt = millis(Math.max(now, this.#sentAt + this.#intervalAfterReply(nonce, now)));
    this.#isNextOfBoth = undefined;
    return true;
  }

  handleTimeout(now: Millis): void {
    if (this.#dueAt > now) return;
    if (this.#isLost(now)) {
      this.#dueAt = millis(Infinity);
      this.#reportSilence();
      this.#output.push({ kind: 'lost' });
      return;
    }
    const isConfirmed = this.#unansweredSince === undefined && this.smoothedRtt !== undefined;
    this.#unansweredSince ??= now;
    this.#sentAt = now;
    this.#dueAt = after(now, this.#wait(now));
    const nonce = this.#nonce();
    this.#sentAtByNonce.set(nonce, now);
    if (this.#sentAtByNonce.size > MAX_PROBES_KEPT) {
      this.#sentAtByNonce.delete(this.#sentAtByNonce.keys().next().value as bigint);
    }
    this.#output.push({ kind: 'probe', nonce, isConfirmed });
  }

  poll(): ProbingOutput | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis {
    return this.#dueAt;
  }

  #bringForward(at: Millis): void {
    if (at < this.#dueAt) this.#dueAt = at;
  }

  #isActive(now: Millis): boolean {
    return after(this.#activeAt, ACTIVE_FOR) > now;
  }

  #isLost(now: Millis): boolean {
    if (this.#unansweredSince === undefined) return false;
    const misses = this.#missesAt(now);
    if (this.#isSuspect && misses >= 2) return true;
    if (after(this.#unansweredSince, REST_LOST_AFTER) <= now) return true;
    if (!this.#isActive(now)) return false;
    // With misses of a chance p, n in a row have the chance p^n.
    const byChance = Math.min(MAX_MISSES, Math.ceil(Math.log(CHANCE_OF_MISSES) / Math.log(this.#missRate)));
    // Two handshakes that cross take with them what is under way in the sessions before: all probes of a round trip.
    const bySlowness = Math.ceil((2 * this.#roundTrip.patience()) / ACTIVE_INTERVAL);
    return misses >= Math.max(MIN_MISSES, byChance, bySlowness);
  }

  /** How many probes in a row, up to now, can no longer expect an answer. */
  #missesAt(now: Millis): number {
    // An answer takes a round trip, even where the kernel had refused one datagram only.
    const patience = this.#isSuspect ? Math.max(SUSPECT_WAIT, this.smoothedRtt ?? 0) : this.#roundTrip.patience();
    let misses = 0;
    for (const sentAt of this.#sentAtByNonce.values()) {
      if (sentAt > this.#answeredSentAt && sentAt + patience <= now) misses += 1;
    }
    return misses;
  }

  /** Until the next probe, if this one is not answered by then. On a slow path several are under way. */
  #wait(now: Millis): Millis {
    if (this.#isSuspect) return SUSPECT_WAIT;
    const patience = this.#roundTrip.patience();
    return this.#isActive(now) ? millis(Math.min(ACTIVE_INTERVAL, patience)) : millis(Math.max(REST_WAIT, patience));
  }

  /** Of the time before the first probe that was not answered. What the kernel refuses, no NAT has forgotten. */
  #reportSilence(): void {
    if (this.#unansweredSince === undefined || this.#isSuspect) return;
    this.#resting.handleFailure(millis(this.#unansweredSince - this.#heardAt));
  }

  #intervalAfterReply(nonce: bigint, now: Millis): Millis {
    if (this.#isActive(now)) return ACTIVE_INTERVAL;
    return this.#nextInterval(this.#isNextOfBoth ?? (this.#resting.isCut || goesOn(nonce)));
  }

  /** To our next probe, which is for when the other's fails to come if it is not for us to be next. */
  #nextInterval(isOurs: boolean): Millis {
    const interval = Math.min(this.#interval, this.#resting.current);
    this.#interval = millis(interval * GROWTH);
    return millis(isOurs ? interval : interval * PATIENCE);
  }
}

/** Whether who has probed with this nonce does so the next time, too. */
function goesOn(nonce: bigint): boolean {
  return (nonce & 1n) === 0n;
}
