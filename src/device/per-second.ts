import type { Millis } from '../machine/index.ts';

/** Counts what comes in each second, to bound it. Allocates nothing. */
export class PerSecond {
  #second = 0;
  #count = 0;

  /** Takes one of the `limit` of this second. @returns whether there was one left */
  take(limit: number, now: Millis): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#count = 0;
    }
    if (this.#count >= limit) return false;
    this.#count++;
    return true;
  }
}

/** The same for each of many, who are forgotten when nobody else knows them. */
export class PerSecondOf<Key extends WeakKey> {
  readonly #counts = new WeakMap<Key, PerSecond>();

  take(key: Key, limit: number, now: Millis): boolean {
    let count = this.#counts.get(key);
    if (count === undefined) {
      count = new PerSecond();
      this.#counts.set(key, count);
    }
    return count.take(limit, now);
  }
}
