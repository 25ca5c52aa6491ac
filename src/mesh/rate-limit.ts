/** Token buckets in the caller's time: one for everybody together, one for each source. */
import { after, millis, seconds, type Millis } from '../machine/index.ts';

const PREFERRED_FOR = seconds(600);

/** `perSecond` on average, `burst` at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAt = millis(-Infinity);

  constructor(rate: Rate) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  /** Takes a token, or says that there is none. */
  take(now: Millis): boolean {
    const { perSecond, burst } = this.#rate;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecond);
    this.#filledAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

export class RateLimit {
  readonly #everybody: TokenBucket;
  /** As much again for those who have shown who they are: strangers cannot use it up. */
  readonly #preferred: TokenBucket;
  readonly #perSource: Rate;
  readonly #maxSources: number;
  /** The least recently seen source first. */
  readonly #buckets = new Map<string, TokenBucket>();
  /** The sources that were preferred last, the longest ago first. */
  readonly #preferredAt = new Map<string, Millis>();

  constructor(rates: { everybody: Rate; perSource: Rate; maxSources: number }) {
    this.#everybody = new TokenBucket(rates.everybody);
    this.#preferred = new TokenBucket(rates.everybody);
    this.#perSource = rates.perSource;
    this.#maxSources = rates.maxSources;
  }

  /** `source` has shown that somebody is there whom we know. */
  prefer(source: string, now: Millis): void {
    this.#preferredAt.delete(source);
    this.#preferredAt.set(source, now);
    if (this.#preferredAt.size > this.#maxSources) {
      this.#preferredAt.delete(this.#preferredAt.keys().next().value as string);
    }
  }

  /** Whether one more message of `source` may cost us something; `isKnown`: we look for somebody there. */
  admits(source: string, now: Millis, isKnown = false): boolean {
    const bucket = this.#buckets.get(source) ?? new TokenBucket(this.#perSource);
    this.#buckets.delete(source);
    this.#buckets.set(source, bucket);
    if (this.#buckets.size > this.#maxSources) this.#buckets.delete(this.#buckets.keys().next().value as string);
    // The source's own bucket first: one loud source must not empty the bucket of all.
    if (!bucket.take(now)) return false;
    const isPreferred = isKnown || after(this.#preferredAt.get(source) ?? millis(-Infinity), PREFERRED_FOR) > now;
    return (isPreferred && this.#preferred.take(now)) || this.#everybody.take(now);
  }
}
