import type { Millis } from '../machine/index.ts';

/**
 * Handshake messages in one second beyond which senders have to prove their address with a cookie (whitepaper §5.3).
 * Each costs up to 0.16 ms, most of it curve operations, and 0.7 ms where node:crypto has to do them: this many take a
 * twentieth of a core, or a fifth.
 */
const MESSAGES_PER_SECOND = 300;
const SECOND = 1000;

/** Tells, from the rate of handshake messages, whether the device is under load. */
export class HandshakeLoad {
  #secondEndsAt = 0;
  #messages = 0;
  #isBeyond = false;

  /** Counts one message. @returns whether the device is under load: in this second, or in the one before it */
  count(now: Millis): boolean {
    if (now >= this.#secondEndsAt) {
      const isNextSecond = now < this.#secondEndsAt + SECOND;
      this.#isBeyond = isNextSecond && this.#messages > MESSAGES_PER_SECOND;
      this.#messages = 0;
      this.#secondEndsAt = now + SECOND;
    }
    this.#messages++;
    return this.#isBeyond || this.#messages > MESSAGES_PER_SECOND;
  }
}
