/**
 * Proof that a node gets what is sent to the address it seems to send from: a Hello carries a challenge, the answer
 * echoes it. The challenge is a digest of the endpoint and a secret, so nothing is stored until the echo has come. The
 * secret changes, so that what was echoed once is no key to the address for ever.
 */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import { formatEndpoint, type Endpoint } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { domain } from './domain.ts';

/** A challenge is good for as long at least, and for twice as long at most. */
const SECRET_LIFE = seconds(60);

export class Challenges {
  readonly #primitives: IdentityPrimitives;
  #secret: Uint8Array;
  #previous: Uint8Array;
  #changedAt = millis(-Infinity);

  constructor(primitives: IdentityPrimitives) {
    this.#primitives = primitives;
    this.#secret = primitives.randomBytes(32);
    this.#previous = this.#secret;
  }

  challengeFor(endpoint: Endpoint, now: Millis): bigint {
    this.#change(now);
    return this.#challenge(endpoint, this.#secret);
  }

  isEcho(echo: bigint, endpoint: Endpoint, now: Millis): boolean {
    if (echo === 0n) return false;
    this.#change(now);
    return [this.#secret, this.#previous].some((secret) => echo === this.#challenge(endpoint, secret));
  }

  #change(now: Millis): void {
    if (now - this.#changedAt < SECRET_LIFE) return;
    // After a longer pause the old secret has had its time, too.
    this.#previous = now - this.#changedAt < 2 * SECRET_LIFE ? this.#secret : this.#primitives.randomBytes(32);
    this.#secret = this.#primitives.randomBytes(32);
    this.#changedAt = now;
  }

  #challenge(endpoint: Endpoint, secret: Uint8Array): bigint {
    const digest = this.#primitives.sha224(secret, domain(formatEndpoint(endpoint)));
    return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0);
  }
}
