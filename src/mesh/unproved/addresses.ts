/**
 * How much may be sent outside the tunnel to addresses that have not answered, whoever named them: members do, in descriptions
 * and in calls, and several could name one that is nobody's of the mesh. An address is spoken to a little, then seldom, and who
 * names it pays for it. Only Hellos are sent there at all: a handshake waits for an answer.
 */
import type { Endpoint } from '../../inet/index.ts';
import { after, millis, seconds, type Millis } from '../../machine/index.ts';
import { TokenBucket } from '../rate-limit.ts';
import { sourceKey, type Standing } from '../standing.ts';
import type { Account } from './account.ts';

/** Who names an address. */
export interface Namer {
  readonly account: Account;
  readonly standing: Pick<Standing, 'kind'>;
}

/** Hellos to one address, or one /64 of IPv6: those of one call at once, then one in eight seconds. */
const RATE = { perSecond: 1 / 8, burst: 7 };
/** Hellos to all such addresses together. */
const TOTAL_RATE = { perSecond: 100, burst: 500 };
/** The same of those that nobody has paid for. */
const ALLOWED_RATE = { perSecond: 2, burst: 64 };
const MAX_ADDRESSES = 4096;
/** An address that has answered is free for as long. */
const PROVED_FOR = seconds(600);

export class UnprovedAddresses {
  readonly #total = new TokenBucket(TOTAL_RATE);
  readonly #allowed = new TokenBucket(ALLOWED_RATE);
  /** The one used longest ago first. */
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #provedAt = new Map<string, Millis>();

  /** Somebody whom we know answers there. */
  handleProved(endpoint: Endpoint, now: Millis): void {
    const key = sourceKey(endpoint);
    this.#provedAt.delete(key);
    this.#provedAt.set(key, now);
    if (this.#provedAt.size > MAX_ADDRESSES) this.#provedAt.delete(this.#provedAt.keys().next().value as string);
  }

  /** Whether one more Hello may be sent there, which the namer pays for. */
  admits(endpoint: Endpoint, { account, standing }: Namer, now: Millis): boolean {
    const key = sourceKey(endpoint);
    if (after(this.#provedAt.get(key) ?? millis(-Infinity), PROVED_FOR) > now) return true;
    const bucket = this.#buckets.get(key) ?? new TokenBucket(RATE);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > MAX_ADDRESSES) this.#buckets.delete(this.#buckets.keys().next().value as string);
    if (!bucket.take(now)) return false;
    const paidBy = account.spend(standing.kind !== 'claimed', now);
    if (paidBy === undefined) return false;
    return (paidBy === 'credit' || this.#allowed.take(now)) && this.#total.take(now);
  }
}
