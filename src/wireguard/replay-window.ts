import type { Counter } from '../crypto/primitives.ts';

/**
 * Which counters have been seen: the ring of bits of RFC 6479. Sliding clears whole words ahead instead of shifting,
 * so one word of the ring is not usable and the window is that much narrower.
 */
const WORD_BITS = 32;
const WORDS = 256;
const WORD_MASK = WORDS - 1;
/** A counter this much or more below the greatest one is too old to be told from a replay. */
export const REPLAY_WINDOW = (WORDS - 1) * WORD_BITS;

export class ReplayWindow {
  readonly #ring = new Int32Array(WORDS);
  #high = 0;
  #low = 0;

  /** Marks `counter` as seen. @returns whether it is new; call only with counters of authenticated messages */
  accept(counter: Counter): boolean {
    const { high, low } = counter;
    // In doubles: exact when small, and right in sign and order of magnitude when large, which is all that is asked.
    const distance = (high - this.#high) * 0x1_0000_0000 + (low - this.#low);
    if (distance <= -REPLAY_WINDOW) return false;
    const word = (low >>> 5) & WORD_MASK;
    if (distance > 0) this.#slide(distance, word, counter);
    const bit = 1 << (low & (WORD_BITS - 1));
    if ((this.#ring[word] & bit) !== 0) return false;
    this.#ring[word] |= bit;
    return true;
  }

  #slide(distance: number, word: number, { high, low }: Counter): void {
    if (distance >= REPLAY_WINDOW) {
      this.#ring.fill(0);
    } else {
      for (let i = (this.#low >>> 5) & WORD_MASK; i !== word;) {
        i = (i + 1) & WORD_MASK;
        this.#ring[i] = 0;
      }
    }
    this.#high = high;
    this.#low = low;
  }
}
