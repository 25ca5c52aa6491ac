import { after, millis, TimerTable, type Millis } from '../machine/index.ts';
import type { Timing } from './constants.ts';

/**
 * Which event sets and stops which timer of a peer (whitepaper §6). What happens when one expires is the peer's
 * business.
 *
 * | timer | set by | stopped by |
 * | --- | --- | --- |
 * | retransmitHandshake (§6.4) | initiation sent | handshake over |
 * | newHandshake (§6.2) | data sent, unless set | anything authentic received |
 * | sendKeepalive (§6.5) | data received, unless set | anything authentic sent |
 * | persistentKeepalive | anything authentic sent or received | switched off |
 * | expireKeypairs (§6.2) | keypair made | no keypair left |
 */
export type PeerTimer =
  'retransmitHandshake' | 'newHandshake' | 'sendKeepalive' | 'persistentKeepalive' | 'expireKeypairs';

export class PeerTimers {
  readonly #table = new TimerTable<PeerTimer>();
  readonly #timing: Timing;
  #persistentKeepalive = millis(0);

  constructor(timing: Timing) {
    this.#timing = timing;
  }

  /** The interval; 0 is off. A new one takes effect with the next message. */
  set persistentKeepalive(interval: Millis) {
    this.#persistentKeepalive = interval;
    if (interval === 0) this.#table.stop('persistentKeepalive');
  }

  get persistentKeepalive(): Millis {
    return this.#persistentKeepalive;
  }

  retransmitHandshakeAt(at: Millis): void {
    this.#table.set('retransmitHandshake', at);
  }

  handshakeOver(): void {
    this.#table.stop('retransmitHandshake');
  }

  /** Nobody answers: a promise to keep the session alive has no point. */
  handshakeAbandoned(): void {
    this.#table.stop('retransmitHandshake');
    this.#table.stop('sendKeepalive');
    this.#table.stop('newHandshake');
  }

  expireKeypairsAt(at: Millis | undefined): void {
    if (at === undefined) this.#table.stop('expireKeypairs');
    else this.#table.set('expireKeypairs', at);
  }

  /** Also before a keepalive is tried, so that the next is tried even if this one cannot be sent. */
  restartPersistentKeepalive(now: Millis): void {
    if (this.#persistentKeepalive > 0) this.#table.set('persistentKeepalive', after(now, this.#persistentKeepalive));
  }

  authenticatedSent(now: Millis): void {
    this.#table.stop('sendKeepalive');
    this.restartPersistentKeepalive(now);
  }

  authenticatedReceived(now: Millis): void {
    this.#table.stop('newHandshake');
    this.restartPersistentKeepalive(now);
  }

  dataSent(now: Millis): void {
    const { keepaliveTimeout, rekeyTimeout } = this.#timing;
    this.#setOnce('newHandshake', after(now, millis(keepaliveTimeout + rekeyTimeout)));
  }

  dataReceived(now: Millis): void {
    this.#setOnce('sendKeepalive', after(now, this.#timing.keepaliveTimeout));
  }

  stopAll(): void {
    this.#table.stopAll();
  }

  next(): Millis | undefined {
    return this.#table.next();
  }

  expired(now: Millis): PeerTimer | undefined {
    return this.#table.expired(now);
  }

  #setOnce(name: PeerTimer, at: Millis): void {
    if (!this.#table.isSet(name)) this.#table.set(name, at);
  }
}
