import type { Millis } from '../machine/index.ts';

export interface SourceRate {
  readonly perSecond: number;
  readonly burst: number;
  /** What all sources together may have that there was no room for, a second. */
  readonly othersPerSecond: number;
}

/** Bounds the memory; further sources share one rate. */
const SOURCES = 8192;

/**
 * How many handshake messages a source may have looked at while this side is under load (whitepaper §5.3): a token
 * bucket for each IPv4 address and each IPv6 /64.
 */
export class RateLimiter {
  readonly #rate: SourceRate;
  readonly #buckets = new Map<number | string, Bucket>();
  readonly #others: Bucket;
  #sweptAt = -Infinity;

  constructor(rate: SourceRate) {
    this.#rate = rate;
    this.#others = { tokens: rate.othersPerSecond, at: 0 };
  }

  /** Takes a token of the source, an address of 4 or 16 bytes. @returns whether there was one */
  allow(source: Uint8Array, now: Millis): boolean {
    const { perSecond, burst, othersPerSecond } = this.#rate;
    const key = keyOf(source);
    const bucket = this.#buckets.get(key);
    if (bucket !== undefined) return take(bucket, perSecond, burst, now);
    if (this.#buckets.size >= SOURCES && !this.#sweep(now)) {
      return take(this.#others, othersPerSecond, othersPerSecond, now);
    }
    this.#buckets.set(key, { tokens: burst - 1, at: now });
    return true;
  }

  /** Whether the source would have no token now. Takes none, and for IPv4 allocates nothing. */
  isExhausted(source: Uint8Array, now: Millis): boolean {
    const { perSecond, othersPerSecond } = this.#rate;
    const bucket = this.#buckets.get(keyOf(source));
    if (bucket !== undefined) return tokensOf(bucket, perSecond, now) < 1;
    return this.#buckets.size >= SOURCES && tokensOf(this.#others, othersPerSecond, now) < 1;
  }

  /** Forgets whose bucket is full again, seldom enough to be cheap. @returns whether there is room */
  #sweep(now: Millis): boolean {
    const refillTime = (this.#rate.burst / this.#rate.perSecond) * 1000;
    if (now - this.#sweptAt < refillTime) return false;
    this.#sweptAt = now;
    for (const [key, { at }] of this.#buckets) if (now - at >= refillTime) this.#buckets.delete(key);
    return this.#buckets.size < SOURCES;
  }
}

interface Bucket {
  tokens: number;
  /** When `tokens` was true. */
  at: number;
}

function keyOf(source: Uint8Array): number | string {
  if (source.length === 4) return (source[0] << 24) | (source[1] << 16) | (source[2] << 8) | source[3];
  return String.fromCharCode(...source.subarray(0, 8));
}

function tokensOf(bucket: Bucket, perSecond: number, now: Millis): number {
  return bucket.tokens + ((now - bucket.at) * perSecond) / 1000;
}

function take(bucket: Bucket, perSecond: number, burst: number, now: Millis): boolean {
  bucket.tokens = Math.min(burst, tokensOf(bucket, perSecond, now));
  bucket.at = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens--;
  return true;
}
