/**
 * What a node has sent us, less what we have sent where it has pointed us and nobody has answered: so nobody gains by pointing
 * us at somebody else. A little is allowed beyond that, since a node that cannot reach us yet cannot pay.
 */
import type { Millis } from '../../machine/index.ts';
import { HELLO_BYTES } from '../messages.ts';
import { TokenBucket } from '../rate-limit.ts';

/** Hellos: a round to the addresses of one host, then one a minute. */
const ALLOWANCE = { perSecond: 1 / 60, burst: 4 };
/** So much is kept of what was not spent. */
const MAX_CREDIT_BYTES = 16 * 1024;

export class Account {
  readonly #allowance = new TokenBucket(ALLOWANCE);
  #credit = 0;

  earn(bytes: number): void {
    this.#credit = Math.min(MAX_CREDIT_BYTES, this.#credit + bytes);
  }

  /** Pays for a Hello; `mayOwe`: out of the allowance if need be. @returns by what, `undefined` if there is nothing */
  spend(mayOwe: boolean, now: Millis): 'credit' | 'allowance' | undefined {
    if (this.#credit >= HELLO_BYTES) {
      this.#credit -= HELLO_BYTES;
      return 'credit';
    }
    return mayOwe && this.#allowance.take(now) ? 'allowance' : undefined;
  }
}
