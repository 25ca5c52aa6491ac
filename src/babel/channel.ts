/** What waits to be sent to one place: a neighbour, or all of an interface. */
import type { IpAddress, Prefix } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import type { Link } from './link.ts';
import type { Tlv } from './tlv.ts';

/** How soon it goes: `urgent` within the urgent timeout, `soon` within half a Hello interval (RFC 8966 §3.1). */
export type Urgency = 'urgent' | 'soon';

/** The announcement of a prefix, with whatever there is to be said of it when it is sent. */
export interface PendingUpdate {
  /** Left out, all prefixes are retracted. */
  readonly prefix: Prefix | undefined;
  /** How many times it may yet be sent until it is acknowledged; 0: once, and no acknowledgement is asked for. */
  readonly copies: number;
  /** Whether it was asked for, so that split horizon does not hold it back. */
  readonly isAnswer: boolean;
}

/** No more answers than this wait: who asks for too much gets none. */
const MAX_WAITING = 256;

export class Channel {
  readonly link: Link;
  readonly to: IpAddress | 'multicast';
  #tlvs: Tlv[] = [];
  readonly #updatesByKey = new Map<string, PendingUpdate>();
  /** When what waits is to be sent. */
  flushAt = millis(Infinity);

  constructor(link: Link, to: IpAddress | 'multicast') {
    this.link = link;
    this.to = to;
  }

  get isEmpty(): boolean {
    return this.#tlvs.length === 0 && this.#updatesByKey.size === 0;
  }

  /** @returns false if too much waits already */
  push(tlv: Tlv): boolean {
    if (this.#tlvs.length >= MAX_WAITING) return false;
    this.#tlvs.push(tlv);
    return true;
  }

  /** Puts `tlvs` before all that waits. */
  unshift(tlvs: readonly Tlv[]): void {
    this.#tlvs.unshift(...tlvs);
  }

  /** @returns false if too many answers wait already */
  update(key: string, update: PendingUpdate): boolean {
    const waiting = this.#updatesByKey.get(key);
    if (waiting === undefined && update.isAnswer && this.#updatesByKey.size >= MAX_WAITING) return false;
    const copies = Math.max(update.copies, waiting?.copies ?? 0);
    const isAnswer = update.isAnswer || waiting?.isAnswer === true;
    this.#updatesByKey.set(key, { prefix: update.prefix, copies, isAnswer });
    return true;
  }

  hasUpdate(key: string): boolean {
    return this.#updatesByKey.has(key);
  }

  /** Sends what waits by `at` at the latest. */
  flushBy(at: Millis): void {
    if (at < this.flushAt) this.flushAt = at;
  }

  clear(): void {
    this.#tlvs = [];
    this.#updatesByKey.clear();
    this.flushAt = millis(Infinity);
  }

  takeTlvs(): readonly Tlv[] {
    const tlvs = this.#tlvs;
    this.#tlvs = [];
    return tlvs;
  }

  /** The `count` that wait longest. */
  takeUpdates(count: number): [key: string, update: PendingUpdate][] {
    const taken: [string, PendingUpdate][] = [];
    for (const entry of this.#updatesByKey) {
      if (taken.length >= count) break;
      taken.push(entry);
    }
    for (const [key] of taken) this.#updatesByKey.delete(key);
    return taken;
  }

  /** Sets when to come back: at `now` plus `pause` if something waits yet. */
  rest(now: Millis, pause: Millis): void {
    this.flushAt = this.isEmpty ? millis(Infinity) : after(now, pause);
  }
}
