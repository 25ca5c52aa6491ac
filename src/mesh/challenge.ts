/**
 * Proof that a node gets what is sent to the address it seems to send from: a Hello carries a challenge, the answer
 * echoes it. The challenge is a digest of the endpoint and a secret, so nothing is stored until the echo has come.
 */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import { formatEndpoint, type Endpoint } from '../inet/index.ts';
import { domain } from './domain.ts';

export class Challenges {
  readonly #primitives: IdentityPrimitives;
  readonly #secret: Uint8Array;

  constructor(primitives: IdentityPrimitives) {
    this.#primitives = primitives;
    this.#secret = primitives.randomBytes(32);
  }

  challengeFor(endpoint: Endpoint): bigint {
    const digest = this.#primitives.sha224(this.#secret, domain(formatEndpoint(endpoint)));
    return new DataView(digest.buffer, digest.byteOffset).getBigUint64(0);
  }

  isEcho(echo: bigint, endpoint: Endpoint): boolean {
    return echo !== 0n && echo === this.challengeFor(endpoint);
  }
}
