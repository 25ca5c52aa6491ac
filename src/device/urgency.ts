import { after, millis, type Millis } from '../machine/index.ts';

/** Shorter waits are none: something was there, and the rest is the system call. */
const SHORTEST_SLEEP = 0.02;
/** Longer than a thread that keeps up goes without sleep (filling two cores with TCP: 13 ms), too short to be noticed. */
const LONGEST_WORK = 50;
const PERIOD = 20;
/** Woken more often than this in a period, and for less: packets are taken one by one that could come in batches. */
const MANY_SLEEPS = 80;
const FEW_BYTES = 8 << 10;
const RECOVERY = millis(1000);

/**
 * Keeps the device thread ahead of the applications while it keeps up with them, as the kernel's own network code is:
 * else a packet waits until they have used up their time slices, milliseconds at a time. For a second it competes as
 * they do when it finds no time to sleep, since it would take the machine from everybody else and it may be a flood
 * that keeps it busy; and when each of many small packets wakes it, so that they gather.
 */
export class Urgency {
  readonly #setRealTime: (isRealTime: boolean) => boolean;
  #isUrgent: boolean;
  #sleptAt: Millis;
  /** When to be urgent again; never without the right. */
  #relaxedUntil: Millis;
  #periodStart: Millis;
  #sleeps = 0;
  #bytes = 0;

  /** `setRealTime` is that of src/linux. */
  constructor(setRealTime: (isRealTime: boolean) => boolean, now: Millis) {
    this.#setRealTime = setRealTime;
    this.#isUrgent = setRealTime(true);
    this.#relaxedUntil = this.#isUrgent ? now : millis(Infinity);
    this.#sleptAt = now;
    this.#periodStart = now;
  }

  /** Whether it is so now; at the start, whether the host allows it at all. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /** Tells that the thread waited for work from `from` to `to`. */
  handleWait(from: Millis, to: Millis): void {
    const hasSlept = to - from >= SHORTEST_SLEEP;
    if (hasSlept) {
      this.#sleptAt = to;
      this.#sleeps++;
    }
    if (!this.#isUrgent) {
      if (hasSlept && to >= this.#relaxedUntil) this.#become(true, to);
    } else if (to - this.#sleptAt > LONGEST_WORK) {
      this.#become(false, to);
    } else if (to - this.#periodStart > PERIOD) {
      if (this.#sleeps > MANY_SLEEPS && this.#bytes < this.#sleeps * FEW_BYTES) this.#become(false, to);
      this.#beginPeriod(to);
    }
  }

  /** Tells what the thread took in since. */
  handleWork(bytes: number): void {
    this.#bytes += bytes;
  }

  #become(isUrgent: boolean, now: Millis): void {
    this.#isUrgent = this.#setRealTime(isUrgent) && isUrgent;
    this.#relaxedUntil = after(now, RECOVERY);
    this.#beginPeriod(now);
  }

  #beginPeriod(now: Millis): void {
    this.#periodStart = now;
    this.#sleeps = 0;
    this.#bytes = 0;
  }
}
