import { after, millis, type Millis } from '../machine/index.ts';
import type { Work } from './work.ts';

/** Shorter waits are none: something was there, and the rest is the system call. */
const SHORTEST_SLEEP = 0.02;
const PERIOD = 20;
/** Woken, or read, more often than this in a period, and for less: packets come one by one that could come in batches. */
const MANY = 80;
const FEW_BYTES = 8 << 10;
/** Datagrams refused in a period without sleep: 20,000 a second. */
const FLOOD = 400;
const RECOVERY = millis(1000);

/**
 * Has the device thread go before the applications, as the kernel's own network code does: else a packet waits until
 * they have used up their time slices, milliseconds at a time, and the more applications the longer. What they are left
 * when tunnels could use all of a core is the kernel's decision (`sched_rt_runtime_us`, sched(7)), a twentieth. For a
 * second the thread competes as they do when it is a flood that keeps it busy; and when each of many small packets
 * wakes it, so that they gather, until there are fewer of them.
 */
export class Urgency {
  readonly #setRealTime: (isRealTime: boolean) => boolean;
  #isUrgent: boolean;
  /** When to be urgent again; never without the right. */
  #relaxedUntil: Millis;
  #periodStart: Millis;
  #sleeps = 0;
  /** What the counts were when the period began. */
  #before = { refused: 0, reads: 0, bytes: 0 };

  /** `setRealTime` is that of src/linux. */
  constructor(setRealTime: (isRealTime: boolean) => boolean, now: Millis) {
    this.#setRealTime = setRealTime;
    this.#isUrgent = setRealTime(true);
    this.#relaxedUntil = this.#isUrgent ? now : millis(Infinity);
    this.#periodStart = now;
  }

  /** Whether it is so now; at the start, whether the host allows it at all. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /**
   * Tells that the thread waited for work from `from` to `to`, and how many datagrams it has refused, and what it has
   * taken in, so far.
   */
  handleWait(from: Millis, to: Millis, refused: number, { reads, bytes }: Work): void {
    if (to - from >= SHORTEST_SLEEP) this.#sleeps++;
    if (to - this.#periodStart <= PERIOD) return;
    const before = this.#before;
    const taken = bytes - before.bytes;
    if (this.#isUrgent) {
      const isFlooded = this.#sleeps === 0 && refused - before.refused > FLOOD;
      if (isFlooded || areManySmall(this.#sleeps, taken)) this.#become(false, to);
    } else if (to >= this.#relaxedUntil && !areManySmall(reads - before.reads, taken)) {
      this.#become(true, to);
    }
    this.#periodStart = to;
    this.#sleeps = 0;
    before.refused = refused;
    before.reads = reads;
    before.bytes = bytes;
  }

  #become(isUrgent: boolean, now: Millis): void {
    this.#isUrgent = this.#setRealTime(isUrgent) && isUrgent;
    this.#relaxedUntil = after(now, RECOVERY);
  }
}

function areManySmall(count: number, bytes: number): boolean {
  return count > MANY && bytes < count * FEW_BYTES;
}
