/**
 * When to probe a direct path, and when it is lost. Often while it carries traffic, so that what fails is left within
 * half a second; rarely at rest, so that a mesh of many nodes costs little.
 */
import { after, millis, seconds, type Millis } from '../machine/index.ts';

const ACTIVE_INTERVAL = millis(200);
/** For so long after the last traffic a path is probed as one that carries it. */
const ACTIVE_FOR = seconds(3);
/** Once the traffic has ended the interval grows, up to this. */
const REST_INTERVAL = seconds(30);
const GROWTH = 1.5;
/** At rest one of the two probes: the other waits for longer than the interval of the one. */
const PATIENCE = 1.5;
const FIRST_INTERVAL = seconds(1);
/** At rest: a probe that is not answered by then is followed by another, and nothing for so long means lost. */
const REST_WAIT = seconds(1);
const REST_LOST_AFTER = seconds(15);
/** While active: on top of two round trips. Both ends may be short of a processor for a moment. */
const ACTIVE_WAIT = millis(100);
/** Probes missed in a row that mean lost; more where so many are missed by chance once in a thousand times. */
const MIN_MISSES = 3;
const MAX_MISSES = 15;
const CHANCE_OF_MISSES = 0.001;
/** After a send that the kernel refused there are two more probes with little time. */
const SUSPECT_WAIT = millis(50);
const MAX_PROBES_KEPT = MAX_MISSES + 1;
/** RFC 6298 §2. */
const RTT_WEIGHT = 1 / 8;
const MISS_WEIGHT = 1 / 16;

export type ProbingOutput =
  { readonly kind: 'probe'; readonly nonce: bigint; readonly isConfirmed: boolean } | { readonly kind: 'lost' };

export class Probing {
  readonly #nonce: () => bigint;
  readonly #output: ProbingOutput[] = [];
  /** Probes that may still be answered, the oldest first. */
  readonly #sentAtByNonce = new Map<bigint, Millis>();
  #dueAt: Millis;
  #interval = FIRST_INTERVAL;
  #activeAt: Millis;
  #sentAt = millis(-Infinity);
  /** When the first probe was sent that nothing has been heard of since. */
  #unansweredSince: Millis | undefined;
  #misses = 0;
  #missRate = 0;
  #isSuspect = false;
  #smoothedRtt: Millis | undefined;

  /** The first probe goes out at once. */
  constructor(nonce: () => bigint, activeAt: Millis, now: Millis) {
    this.#nonce = nonce;
    this.#activeAt = activeAt;
    this.#dueAt = now;
  }

  get smoothedRtt(): Millis | undefined {
    return this.#smoothedRtt;
  }

  /** The path carries traffic. */
  handleActive(now: Millis): void {
    this.#activeAt = now;
    this.#interval = FIRST_INTERVAL;
    const wait = this.#unansweredSince === undefined ? ACTIVE_INTERVAL : this.#activeWait();
    this.#bringForward(millis(Math.max(now, this.#sentAt + wait)));
  }

  /** The kernel has refused to send on the path. */
  handleError(now: Millis): void {
    if (this.#isSuspect) return;
    this.#isSuspect = true;
    this.#bringForward(now);
  }

  /** The other side probes, and was answered the last time: ours may wait. */
  handleConfirmed(now: Millis): void {
    if (this.#unansweredSince !== undefined || this.#smoothedRtt === undefined || this.#isActive(now)) return;
    this.#dueAt = after(now, millis(this.#nextInterval(now) * PATIENCE));
  }

  /** @returns whether the probe was one of ours */
  handleReply(nonce: bigint, now: Millis): boolean {
    const sentAt = this.#sentAtByNonce.get(nonce);
    if (sentAt === undefined) return false;
    this.#sentAtByNonce.delete(nonce);
    const sample = now - sentAt;
    this.#smoothedRtt = millis(
      this.#smoothedRtt === undefined ? sample : this.#smoothedRtt * (1 - RTT_WEIGHT) + sample * RTT_WEIGHT,
    );
    // Misses that an answer ends were by chance; those of a path that has failed say nothing of chance.
    this.#missRate = (1 - (1 - this.#missRate) * (1 - MISS_WEIGHT) ** this.#misses) * (1 - MISS_WEIGHT);
    this.#unansweredSince = undefined;
    this.#misses = 0;
    this.#isSuspect = false;
    this.#dueAt = millis(Math.max(now, this.#sentAt + this.#nextInterval(now)));
    return true;
  }

  handleTimeout(now: Millis): void {
    if (this.#dueAt > now) return;
    if (this.#unansweredSince !== undefined) this.#misses += 1;
    if (this.#isLost(now)) {
      this.#dueAt = millis(Infinity);
      this.#output.push({ kind: 'lost' });
      return;
    }
    const isConfirmed = this.#unansweredSince === undefined && this.#smoothedRtt !== undefined;
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
    if (this.#isSuspect && this.#misses >= 2) return true;
    if (after(this.#unansweredSince, REST_LOST_AFTER) <= now) return true;
    if (!this.#isActive(now)) return false;
    // With misses of a chance p, n in a row have the chance p^n.
    const byChance = Math.ceil(Math.log(CHANCE_OF_MISSES) / Math.log(this.#missRate));
    return this.#misses >= Math.min(MAX_MISSES, Math.max(MIN_MISSES, byChance));
  }

  #wait(now: Millis): Millis {
    if (this.#isSuspect) return SUSPECT_WAIT;
    return this.#isActive(now) ? this.#activeWait() : REST_WAIT;
  }

  #activeWait(): Millis {
    return millis(Math.min(REST_WAIT, ACTIVE_WAIT + 2 * (this.#smoothedRtt ?? 0)));
  }

  #nextInterval(now: Millis): Millis {
    if (this.#isActive(now)) return ACTIVE_INTERVAL;
    const interval = this.#interval;
    this.#interval = millis(Math.min(REST_INTERVAL, interval * GROWTH));
    return interval;
  }
}
