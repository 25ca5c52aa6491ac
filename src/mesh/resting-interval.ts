/**
 * How long the path to one node may be silent before a NAT on it forgets the mapping, and nothing comes in from the other
 * side any more. RFC 4787 §4.3 wants two minutes at least, many allow less. It is found out by trying: what has failed once
 * is not tried again.
 */
import { millis, seconds, type Millis } from '../machine/index.ts';

const LONGEST = seconds(30);
const SHORTEST = seconds(10);
const CUT = 2 / 3;

export class RestingInterval {
  #current = LONGEST;

  get current(): Millis {
    return this.#current;
  }

  /** Whether the longest one has failed. */
  get isCut(): boolean {
    return this.#current < LONGEST;
  }

  /** The path has not answered after a `silence`. */
  handleFailure(silence: Millis): void {
    if (silence < SHORTEST) return;
    // What fails whatever the interval fails for other reasons: the host sleeps, say.
    this.#current = this.#current === SHORTEST ? LONGEST : millis(Math.max(SHORTEST, this.#current * CUT));
  }

  reset(): void {
    this.#current = LONGEST;
  }
}
