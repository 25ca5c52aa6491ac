import { after, millis, seconds, type Millis } from '../../machine/index.ts';
import { Echoes, type Probe } from './echoes.ts';
import { Search } from './search.ts';
import { BASE_MTU } from './sizes.ts';

/** While there is traffic: whether what passed still does (black hole detection, RFC 8899 §4.3). */
const TEST_INTERVAL = seconds(2);
/** For so long after the last traffic; it is told of once a second. */
const ACTIVE_FOR = seconds(2.5);
/** PMTU_RAISE_TIMER (RFC 8899 §5.1.1). */
const RAISE_AFTER = seconds(600);
/** Where nothing passes, not even what everybody carries. */
const AGAIN_AFTER = seconds(10);
const MAX_AGAIN_AFTER = seconds(160);
/** A length fails after so many losses (MAX_PROBES, RFC 8899 §5.1.2), or more if so many come by chance once in a million. */
const MIN_MISSES = 3;
const MAX_MISSES = 20;
const CHANCE_OF_MISSES = 0.000001;
const MAX_REMEMBERED = 8;

/** The way that packets take to the node: with another `key` all begins anew. `longest`: more is never sent there. */
export interface Way {
  readonly key: string;
  readonly longest: number;
}

/** How long packets to the node may be. Before that is proved it is safe to cut them, and too early to tell anybody. */
export interface PacketLimit {
  readonly mtu: number;
  readonly isProved: boolean;
}

export type PathMtuOutput =
  | ({ readonly kind: 'probe' } & Probe)
  | ({ readonly kind: 'limit' } & PacketLimit)
  /** A search has ended; `isBlocked`: nothing of any use passes. */
  | { readonly kind: 'found'; readonly way: Way; readonly mtu: number; readonly isBlocked: boolean };

type Phase =
  /** The length in use is proved; it is tried again when there is traffic. */
  { readonly name: 'settled' } | { readonly name: 'searching'; readonly search: Search } | { readonly name: 'blocked' };

/** One length that is being tried. */
interface Trial {
  readonly size: number;
  misses: number;
  isAlive: boolean;
}

/** The path MTU of the way to one node. */
export class PathMtu {
  readonly #nonce: () => bigint;
  readonly #output: PathMtuOutput[] = [];
  /** What passed on ways that were in use before, by key, the one used last at the end. */
  readonly #remembered = new Map<string, number>();
  #way: Way | undefined;
  #phase: Phase = { name: 'settled' };
  #limit: PacketLimit = { mtu: BASE_MTU, isProved: false };
  #echoes: Echoes;
  #trial: Trial | undefined;
  #dueAt = millis(Infinity);
  #raiseAt = millis(Infinity);
  #provedAt = millis(-Infinity);
  #activeUntil = millis(-Infinity);
  #againAfter = AGAIN_AFTER;

  constructor(nonce: () => bigint) {
    this.#nonce = nonce;
    this.#echoes = new Echoes(nonce);
  }

  get hasOutput(): boolean {
    return this.#output.length > 0;
  }

  get way(): Way | undefined {
    return this.#way;
  }

  get limit(): PacketLimit {
    return this.#limit;
  }

  /** Whether there was traffic for the node just now. */
  isActive(now: Millis): boolean {
    return this.#activeUntil > now;
  }

  /** Packets go another way, or none. What was proved says nothing of it. */
  setWay(way: Way | undefined, now: Millis): void {
    if (way?.key === this.#way?.key && way?.longest === this.#way?.longest) return;
    this.#way = way;
    this.#phase = { name: 'settled' };
    this.#againAfter = AGAIN_AFTER;
    this.#trial = undefined;
    this.#dueAt = millis(Infinity);
    this.#echoes = new Echoes(this.#nonce);
    // Said again even if it is the same: to the device the node may be another peer than before.
    this.#limit = { mtu: Math.min(BASE_MTU, way?.longest ?? BASE_MTU), isProved: false };
    this.#output.push({ kind: 'limit', ...this.#limit });
    if (way === undefined) return;
    const first = this.#remembered.get(way.key);
    this.#search(new Search(way.longest, { first }), now);
  }

  /** There is traffic for the node. */
  handleActive(now: Millis): void {
    this.#activeUntil = after(now, ACTIVE_FOR);
    if (this.#way === undefined) return;
    if (this.#trial === undefined && this.#phase.name === 'settled') {
      this.#bringForward(millis(Math.max(now, this.#provedAt + TEST_INTERVAL)));
    } else if (this.#isParked) this.#bringForward(now);
  }

  /** This host's own network does not take a packet of the length that was proved. */
  handleRefused(now: Millis): void {
    const mayTry = this.#phase.name === 'settled' && this.#trial === undefined && this.#way !== undefined;
    if (mayTry) this.#try(this.#limit.mtu, now);
  }

  /** @returns whether the echo was asked for here */
  handleEcho(nonce: bigint, now: Millis): boolean {
    const answer = this.#echoes.handleEcho(nonce, now);
    if (answer === 'unasked') return false;
    if (answer !== 'alive') {
      if (answer.passes > 0) this.#handlePass(answer.passes, now);
    } else if (this.#trial !== undefined) {
      this.#trial.isAlive = true;
      this.#dueAt = after(now, this.#echoes.grace);
    }
    return true;
  }

  handleTimeout(now: Millis): void {
    if (this.#dueAt > now) return;
    this.#dueAt = millis(Infinity);
    if (this.#trial !== undefined) return this.#handleMiss(this.#trial, now);
    const { longest } = this.#way ?? { longest: 0 };
    if (this.#phase.name === 'blocked') return this.#search(new Search(longest), now);
    if (this.#phase.name !== 'settled' || this.#activeUntil <= now) return;
    const { mtu } = this.#limit;
    if (mtu < longest && this.#raiseAt <= now) return this.#search(new Search(longest, { passes: mtu }), now);
    this.#try(mtu, now);
  }

  poll(): PathMtuOutput | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis {
    return this.#dueAt;
  }

  /** Nothing came back, and nobody had anything to send. */
  get #isParked(): boolean {
    return this.#trial !== undefined && this.#dueAt === Infinity;
  }

  #bringForward(at: Millis): void {
    this.#dueAt = millis(Math.min(this.#dueAt, at));
  }

  #search(search: Search, now: Millis): void {
    this.#phase = { name: 'searching', search };
    const { next } = search;
    if (next !== undefined) return this.#try(next, now);
    if (search.passes > 0) this.#settle(search.passes, now);
    else this.#block(now);
  }

  #try(size: number, now: Millis): void {
    if (this.#trial?.size !== size) this.#trial = { size, misses: 0, isAlive: false };
    this.#trial.isAlive = false;
    for (const probe of this.#echoes.ask(size, now)) this.#output.push({ kind: 'probe', ...probe });
    this.#dueAt = after(now, this.#echoes.wait);
  }

  #handlePass(size: number, now: Millis): void {
    if (this.#phase.name === 'searching') {
      this.#phase.search.handlePass(size);
      if (this.#phase.search.next === this.#trial?.size) return;
      this.#trial = undefined;
      return this.#search(this.#phase.search, now);
    }
    if (this.#phase.name === 'blocked')
      return this.#search(new Search(this.#way?.longest ?? size, { passes: size }), now);
    if (size < this.#limit.mtu) return;
    this.#trial = undefined;
    this.#provedAt = now;
    this.#dueAt = millis(this.#activeUntil > now ? now + TEST_INTERVAL : Infinity);
  }

  /** What was asked for last has not come, or only the short one. */
  #handleMiss(trial: Trial, now: Millis): void {
    if (trial.isAlive) trial.misses += 1;
    else this.#echoes.handleSilence();
    if (!trial.isAlive && this.#echoes.isSilent && this.#activeUntil <= now) return;
    if (trial.misses < this.#missesNeeded()) return this.#try(trial.size, now);
    this.#trial = undefined;
    if (this.#phase.name === 'searching') {
      this.#phase.search.handleFail(trial.size);
      return this.#search(this.#phase.search, now);
    }
    // A black hole: what is longer goes nowhere. Nobody is told of another length before it is known.
    const { longest } = this.#way ?? { longest: trial.size };
    this.#setLimit(Math.min(BASE_MTU, longest), false);
    this.#search(new Search(longest, { fails: trial.size }), now);
  }

  #missesNeeded(): number {
    const byChance = Math.ceil(Math.log(CHANCE_OF_MISSES) / Math.log(this.#echoes.lossRate));
    return Math.min(MAX_MISSES, Math.max(MIN_MISSES, byChance));
  }

  #settle(mtu: number, now: Millis): void {
    this.#phase = { name: 'settled' };
    this.#againAfter = AGAIN_AFTER;
    this.#provedAt = now;
    this.#raiseAt = after(now, RAISE_AFTER);
    this.#dueAt = millis(this.#activeUntil > now ? now + TEST_INTERVAL : Infinity);
    this.#setLimit(mtu, true);
    this.#say(mtu, false);
  }

  #block(now: Millis): void {
    this.#phase = { name: 'blocked' };
    this.#dueAt = after(now, this.#againAfter);
    this.#againAfter = millis(Math.min(MAX_AGAIN_AFTER, this.#againAfter * 2));
    this.#say(0, true);
  }

  #say(mtu: number, isBlocked: boolean): void {
    const way = this.#way;
    if (way === undefined) return;
    this.#remembered.delete(way.key);
    if (!isBlocked) this.#remembered.set(way.key, mtu);
    for (const key of this.#remembered.keys()) if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(key);
    this.#output.push({ kind: 'found', way, mtu, isBlocked });
  }

  #setLimit(mtu: number, isProved: boolean): void {
    if (mtu === this.#limit.mtu && isProved === this.#limit.isProved) return;
    this.#limit = { mtu, isProved };
    this.#output.push({ kind: 'limit', mtu, isProved });
  }
}
