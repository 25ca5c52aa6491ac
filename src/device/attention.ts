/**
 * How transport threads get the device thread to look at what they noted, without waking it each time: it looks again
 * and again for as long as there is something, and only when it has stopped must somebody wake it
 * (docs/decisions/0012-several-threads.md).
 */
export class Attention {
  readonly #lanes: Uint32Array;

  /** The first of `lanes`, which are of a `SharedArrayBuffer`, is 0 while nobody looks, else 1. */
  constructor(lanes: Uint32Array) {
    this.#lanes = lanes;
  }

  /** To be called after something was noted. @returns whether the device thread is to be woken */
  raise(): boolean {
    return Atomics.load(this.#lanes, 0) === 0 && Atomics.exchange(this.#lanes, 0, 1) === 0;
  }

  /** Of the device thread: looks. @returns whether to come back and look again */
  attend(look: () => boolean): boolean {
    if (look()) {
      // Who was seen may not have raised it yet, and need not wake us then.
      Atomics.store(this.#lanes, 0, 1);
      return true;
    }
    Atomics.store(this.#lanes, 0, 0);
    // What was noted before the store, by somebody who counted on us.
    if (!look()) return false;
    Atomics.store(this.#lanes, 0, 1);
    return true;
  }
}
