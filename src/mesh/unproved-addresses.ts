/**
 * How much may be sent outside the tunnel to addresses that have not answered, whoever named them: members do, in descriptions
 * and in calls, and several could name one that is nobody's of the mesh. An address is spoken to a little, then ever so seldom.
 */
import { formatAddress, type IpAddress } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import { TokenBucket } from './rate-limit.ts';

/** Hellos: those of one call at once, then one in eight seconds. */
const RATE = { perSecond: 1 / 8, burst: 7 };
/** Hellos to all such addresses together. */
const TOTAL_RATE = { perSecond: 100, burst: 500 };
const MAX_ADDRESSES = 4096;
/** An address that has answered is free for as long. */
const PROVED_FOR = seconds(600);

export class UnprovedAddresses {
  readonly #total = new TokenBucket(TOTAL_RATE);
  /** The one used longest ago first. */
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #provedAt = new Map<string, Millis>();

  /** Somebody whom we know answers there. */
  handleProved(address: IpAddress, now: Millis): void {
    const key = formatAddress(address);
    this.#provedAt.delete(key);
    this.#provedAt.set(key, now);
    if (this.#provedAt.size > MAX_ADDRESSES) this.#provedAt.delete(this.#provedAt.keys().next().value as string);
  }

  /** Whether one more Hello may be sent there. */
  admits(address: IpAddress, now: Millis): boolean {
    const key = formatAddress(address);
    if (after(this.#provedAt.get(key) ?? millis(-Infinity), PROVED_FOR) > now) return true;
    const bucket = this.#buckets.get(key) ?? new TokenBucket(RATE);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_ADDRESSES) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return bucket.take(now) && this.#total.take(now);
  }
}
