import type { AeadKey, Counter, Primitives } from '../crypto/primitives.ts';
import { millis, type Millis } from '../machine/index.ts';
import { REJECT_AFTER_MESSAGES, REKEY_AFTER_MESSAGES, type Timing } from './constants.ts';
import { isBelow } from './counter.ts';
import type { SessionKeys } from './handshake.ts';
import { ReplayWindow } from './replay-window.ts';
import { SHARED_REJECT_AFTER_MESSAGES, SHARED_REKEY_AFTER_MESSAGES } from './shared-send-counter.ts';
import type { SharedSession } from './shared-session.ts';

export interface Session<Owner> {
  readonly peer: Owner;
  readonly role: 'initiator' | 'responder';
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly createdAt: Millis;
  /** REJECT_AFTER_TIME after `createdAt`. */
  readonly expiresAt: Millis;
  /** Where other threads seal and open with the keypair, too. */
  readonly shared?: SharedSession | undefined;
}

/** The two keys of one session and what belongs to them. `Owner` is the peer; see `Keypair` in peer.ts. */
export class KeypairOf<Owner> {
  readonly peer: Owner;
  readonly role: 'initiator' | 'responder';
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly createdAt: Millis;
  readonly expiresAt: Millis;
  readonly sendKey: AeadKey;
  readonly receiveKey: AeadKey;
  /** Of the next message. */
  readonly sendCounter: Counter = { high: 0, low: 0 };
  /** Of the message that was received last. Here so that receiving allocates nothing. */
  readonly receiveCounter: Counter = { high: 0, low: 0 };
  readonly replayWindow: { accept(counter: Counter): boolean };
  /** What may be sealed is below; where threads share the keypair, what this one has claimed. */
  readonly sendLimit: Counter;
  readonly shared: SharedSession | undefined;
  destroyed = false;

  /** Wipes `keys`. */
  constructor(primitives: Primitives, keys: SessionKeys, session: Session<Owner>) {
    this.peer = session.peer;
    this.role = session.role;
    this.localIndex = session.localIndex;
    this.remoteIndex = session.remoteIndex;
    this.createdAt = session.createdAt;
    this.expiresAt = session.expiresAt;
    this.shared = session.shared;
    this.replayWindow = session.shared?.replayWindow ?? new ReplayWindow();
    this.sendLimit = session.shared === undefined ? REJECT_AFTER_MESSAGES : { high: 0, low: 0 };
    this.sendKey = primitives.aeadKey(keys.sendKey);
    this.receiveKey = primitives.aeadKey(keys.receiveKey);
    keys.sendKey.fill(0);
    keys.receiveKey.fill(0);
  }

  /** To be called before `count` messages are sealed. Those that then are not leave a gap in the counters. */
  claim(count: number): void {
    if (this.shared === undefined) return;
    const first = this.shared.sendCounter.claim(count);
    this.sendLimit.low = first < 0 ? 0 : first + count;
    this.sendCounter.low = Math.max(0, first);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.shared?.close();
    this.sendKey.destroy();
    this.receiveKey.destroy();
  }
}

type AnyKeypair = KeypairOf<unknown>;

/** Whether `keypair` may still seal (whitepaper §6.2: nothing after REJECT_AFTER_TIME or REJECT_AFTER_MESSAGES). */
export function maySeal(keypair: AnyKeypair, now: Millis): boolean {
  return !keypair.destroyed && now < keypair.expiresAt && !isExhausted(keypair);
}

function isExhausted({ sendCounter, shared }: AnyKeypair): boolean {
  if (shared === undefined) return !isBelow(sendCounter, REJECT_AFTER_MESSAGES);
  return shared.sendCounter.claimed >= SHARED_REJECT_AFTER_MESSAGES;
}

/** Whether `keypair` has sealed so many messages that it is to be renewed. */
function isWornOut({ sendCounter, shared }: AnyKeypair): boolean {
  if (shared === undefined) return !isBelow(sendCounter, REKEY_AFTER_MESSAGES);
  return shared.sendCounter.claimed >= SHARED_REKEY_AFTER_MESSAGES;
}

/** Whether sending with `keypair` must also start a new handshake (§6.2). */
export function mustRekeyOnSend(keypair: AnyKeypair, timing: Timing, now: Millis): boolean {
  if (isWornOut(keypair)) return true;
  // By age only the initiator rekeys: if both did, both would start in the same moment.
  return keypair.role === 'initiator' && now - keypair.createdAt >= timing.rekeyAfterTime;
}

/**
 * Whether receiving with `keypair` must also start a new handshake (§6.2): an initiator that only listens would else
 * notice the end of the keypair too late.
 */
export function mustRekeyOnReceive(keypair: AnyKeypair, timing: Timing, now: Millis): boolean {
  const lastMinute = timing.rejectAfterTime - timing.keepaliveTimeout - timing.rekeyTimeout;
  return keypair.role === 'initiator' && now - keypair.createdAt >= lastMinute;
}

/**
 * The keypairs of one peer (whitepaper §6.3). `current` seals; `previous` still opens what is under way; `next` is a
 * responder's, which may not seal before the initiator has proved, by using it, that it has it too.
 */
export class Keypairs<Owner> {
  readonly #release: (keypair: KeypairOf<Owner>) => void;
  previous: KeypairOf<Owner> | undefined;
  current: KeypairOf<Owner> | undefined;
  next: KeypairOf<Owner> | undefined;

  /** `release` is told of every keypair that is destroyed. */
  constructor(release: (keypair: KeypairOf<Owner>) => void) {
    this.#release = release;
  }

  add(keypair: KeypairOf<Owner>): void {
    if (keypair.role === 'responder') {
      this.#discard(this.next);
      this.next = keypair;
      return;
    }
    this.#discard(this.previous);
    // After simultaneous handshakes the other side seals with what is `next` here: that must stay good for opening.
    if (this.next !== undefined) this.#discard(this.current);
    this.previous = this.next ?? this.current;
    this.next = undefined;
    this.current = keypair;
  }

  /**
   * To be called for every authenticated message. @returns whether it was the first on `next`, which is `current` now
   */
  confirm(keypair: KeypairOf<Owner>): boolean {
    if (keypair !== this.next) return false;
    this.#discard(this.previous);
    this.previous = this.current;
    this.current = keypair;
    this.next = undefined;
    return true;
  }

  /**
   * Destroys what is too old to be used. The whitepaper erases keys after three times REJECT_AFTER_TIME (§6.3); nothing
   * may use them after one, so they go then. @returns when to call next, if any keypair is left
   */
  expire(now: Millis): Millis | undefined {
    if (isOver(this.previous, now)) this.previous = this.#discard(this.previous);
    if (isOver(this.current, now)) this.current = this.#discard(this.current);
    if (isOver(this.next, now)) this.next = this.#discard(this.next);
    const left = [this.previous, this.current, this.next].filter((keypair) => keypair !== undefined);
    return left.length === 0 ? undefined : millis(Math.min(...left.map(({ expiresAt }) => expiresAt)));
  }

  destroyAll(): void {
    this.previous = this.#discard(this.previous);
    this.current = this.#discard(this.current);
    this.next = this.#discard(this.next);
  }

  #discard(keypair: KeypairOf<Owner> | undefined): undefined {
    if (keypair === undefined) return undefined;
    keypair.destroy();
    this.#release(keypair);
    return undefined;
  }
}

function isOver(keypair: AnyKeypair | undefined, now: Millis): boolean {
  return keypair !== undefined && now >= keypair.expiresAt;
}
