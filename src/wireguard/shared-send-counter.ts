/**
 * The send counter of a keypair that several threads seal with (docs/decisions/0012-several-threads.md). A thread claims
 * as many counters as it has packets, and seals with those; nobody else ever gets them.
 */

/**
 * With 32 bits in place of the whitepaper's 64 (§6.1): a keypair is renewed after 2^31 messages and ends short of 2^32.
 * REJECT_AFTER_TIME ends it sooner, unless somebody sends 24 million messages a second.
 */
export const SHARED_REKEY_AFTER_MESSAGES = 0x8000_0000;
export const SHARED_REJECT_AFTER_MESSAGES = 0xffff_0000;

export class SharedSendCounter {
  readonly #lanes: Uint32Array;
  readonly #lane: number;

  /** `lanes` are of a `SharedArrayBuffer`; the counter lies at `lane`, and is 0 at first. */
  constructor(lanes: Uint32Array, lane: number) {
    this.#lanes = lanes;
    this.#lane = lane;
  }

  /** How many counters have been claimed. */
  get claimed(): number {
    return Atomics.load(this.#lanes, this.#lane);
  }

  /**
   * Claims `count` counters. They are spent even when nothing is sent with them.
   * @returns the first, or -1 if the keypair has not that many left
   */
  claim(count: number): number {
    // No plain addition: claims that fail would add up until the counter wraps.
    for (let next = this.claimed; next + count <= SHARED_REJECT_AFTER_MESSAGES;) {
      const found = Atomics.compareExchange(this.#lanes, this.#lane, next, next + count);
      if (found === next) return next;
      next = found;
    }
    return -1;
  }

  /** No claim succeeds from now on. */
  close(): void {
    Atomics.store(this.#lanes, this.#lane, SHARED_REJECT_AFTER_MESSAGES);
  }
}
