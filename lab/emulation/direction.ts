import type { Impairments } from '../scenario/scenario.ts';

/** What waits for a slow link is dropped from behind: beyond so much time, but never below so many frames' worth. */
const QUEUE_MS = 200;
const QUEUE_BITS = 10 * 12_000;

/**
 * One direction of an emulated link: which frames arrive, and when. Frames stay in order, as they do on a radio link or
 * a line, also with jitter (netem would let them overtake one another). Pure; times in milliseconds.
 */
export class Direction {
  readonly #impairments: Impairments;
  readonly #random: () => number;
  /** When the last frame has been sent whole. */
  #busyUntil = 0;
  #lastArrival = 0;

  constructor(impairments: Impairments, random: () => number) {
    this.#impairments = impairments;
    this.#random = random;
  }

  /** Takes a frame of `bytes` in. @returns when it arrives, or `undefined` if it does not */
  admit(bytes: number, now: number): number | undefined {
    const { delay, jitter, loss, rate } = this.#impairments;
    // A lost frame has been on the air all the same, but a full queue takes none in.
    const isLost = loss > 0 && this.#random() < loss;
    if (rate !== undefined) {
      const waits = Math.max(0, this.#busyUntil - now);
      if (waits > Math.max(QUEUE_MS, (QUEUE_BITS / rate) * 1000)) return undefined;
      this.#busyUntil = now + waits + ((bytes * 8) / rate) * 1000;
    }
    if (isLost) return undefined;
    const sentAt = Math.max(now, this.#busyUntil);
    const arrival = sentAt + delay + (jitter === 0 ? 0 : (2 * this.#random() - 1) * jitter);
    this.#lastArrival = Math.max(arrival, this.#lastArrival);
    return this.#lastArrival;
  }
}
