import type { IpAddress } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';

/**
 * How many handshake messages a source may have looked at while this side is under load (whitepaper §5.3): a token
 * bucket for each IPv4 address and each IPv6 /64. Ask only for sources that have proved to receive there (mac2).
 */
const PER_SECOND = 20;
const BURST = 5;
/** Bounds the memory; whoever holds more addresses than this has to wait until others fall silent. */
const SOURCES = 8192;
const REFILL_TIME = (BURST / PER_SECOND) * 1000;

export class RateLimiter {
  readonly #buckets = new Map<string, { tokens: number; at: Millis }>();
  #sweptAt = -Infinity;

  /** Takes a token of the source. @returns whether there was one */
  allow(source: IpAddress, now: Millis): boolean {
    const key = String.fromCharCode(...source.bytes.subarray(0, 8));
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      if (this.#buckets.size >= SOURCES && !this.#sweep(now)) return false;
      this.#buckets.set(key, { tokens: BURST - 1, at: now });
      return true;
    }
    bucket.tokens = Math.min(BURST, bucket.tokens + ((now - bucket.at) * PER_SECOND) / 1000);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  /** Forgets whose bucket is full again, seldom enough to be cheap. @returns whether there is room */
  #sweep(now: Millis): boolean {
    if (now - this.#sweptAt < REFILL_TIME) return false;
    this.#sweptAt = now;
    for (const [key, { at }] of this.#buckets) if (now - at >= REFILL_TIME) this.#buckets.delete(key);
    return this.#buckets.size < SOURCES;
  }
}
