import { millis, type Millis } from '../machine/index.ts';

/**
 * When the entries of a table are to be looked through. It is never late, and early only where the entry that was due
 * first has been put off since: so a table of thousands of deadlines costs one look now and then.
 */
export class Sweep {
  #at = millis(Infinity);

  get next(): Millis | undefined {
    return this.#at === Infinity ? undefined : this.#at;
  }

  /** An entry is due at `at`. */
  add(at: Millis): void {
    if (at < this.#at) this.#at = at;
  }

  /** Whether it is time; if so, whoever looks adds what is left. */
  take(now: Millis): boolean {
    if (this.#at > now) return false;
    this.#at = millis(Infinity);
    return true;
  }
}
