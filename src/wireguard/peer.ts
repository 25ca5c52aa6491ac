import type { KeyPair, Primitives } from '../crypto/primitives.ts';
import type { Endpoint, Prefix } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import { INITIATION_INTERVAL, KEY_LENGTH, RETRANSMISSION_JITTER, TAG, type Timing } from './constants.ts';
import { CookieGenerator } from './cookie.ts';
import type { DropCounts, Dropped } from './drop-reason.ts';
import {
  authenticateInitiation,
  consumeResponse,
  createInitiation,
  createResponse,
  wipeInitiation,
  type HandshakeSecrets,
  type InitiationSent,
  type OpenedInitiation,
  type SessionKeys,
} from './handshake.ts';
import type { IndexTable } from './index-table.ts';
import { KeypairOf, Keypairs, maySeal, mustRekeyOnReceive, mustRekeyOnSend } from './keypair.ts';
import type { CookieReply, HandshakeResponse } from './messages.ts';
import { SharedSession } from './shared-session.ts';
import { StagedPackets } from './staged-packets.ts';
import { PeerTimers, type PeerTimer } from './timers.ts';
import { isLater, TIMESTAMP_GRANULARITY, timestampAt } from './timestamp.ts';
import { paddedLength, sealTransportData, TRANSPORT_HEADER } from './transport.ts';

export type Keypair = KeypairOf<Peer>;

/** What a device asks of its owner. The owner of a `datagram` or `packet` is whoever takes it. */
export type DeviceOutput =
  | { readonly kind: 'send'; readonly datagram: Uint8Array; readonly to: Endpoint; readonly peer: Peer | undefined }
  | { readonly kind: 'deliver'; readonly packet: Uint8Array; readonly peer: Peer }
  /** Only if `revealSecrets` was asked for. Comes before the message it belongs to. */
  | { readonly kind: 'handshake-secrets'; readonly peer: Peer; readonly secrets: HandshakeSecrets }
  | { readonly kind: 'handshake-complete'; readonly peer: Peer }
  | { readonly kind: 'handshake-abandoned'; readonly peer: Peer }
  | SharingOutput;

/** Only if `shareKeypairs` was asked for: what other threads that seal and open for this device have to know. */
export type SharingOutput =
  /** A new keypair, and its keys, for the taker to wipe. Comes before anything that is sealed with it. */
  | { readonly kind: 'keypair-made'; readonly keypair: Keypair; readonly keys: SessionKeys }
  /** It is `current` now. */
  | { readonly kind: 'keypair-current'; readonly keypair: Keypair }
  | { readonly kind: 'keypair-destroyed'; readonly keypair: Keypair }
  | { readonly kind: 'endpoint-changed'; readonly peer: Peer }
  | { readonly kind: 'allowed-ips-changed'; readonly peer: Peer }
  | { readonly kind: 'peer-removed'; readonly peer: Peer };

/** What a peer needs of its device. */
export interface PeerHost {
  readonly primitives: Primitives;
  readonly timing: Timing;
  readonly revealSecrets: boolean;
  readonly shareKeypairs: boolean;
  readonly unixTime: () => Millis;
  /** The static key; without one there are no handshakes. */
  readonly local: KeyPair | undefined;
  readonly mtu: number;
  readonly indices: IndexTable<Peer, Keypair>;
  readonly drops: DropCounts;
  emit(output: DeviceOutput): void;
  /** Whether the source of an authentic message is to be the peer's endpoint (whitepaper §2.1). */
  mayRoam(peer: Peer, from: Endpoint): boolean;
  /** Of every keypair that is destroyed. */
  readonly release: (keypair: Keypair) => void;
  /** When the peer's `handleTimeout` is wanted. */
  schedule(peer: Peer, at: Millis | undefined): void;
}

/** The initiator's side of a handshake that is not over: `sent` is missing while REKEY_TIMEOUT holds it back. */
type Attempt =
  | { readonly state: 'idle' }
  | { readonly state: 'waiting'; readonly startedAt: Millis }
  | { readonly state: 'initiation-sent'; readonly startedAt: Millis; readonly sent: InitiationSent };

const IDLE: Attempt = { state: 'idle' };
/** All zeros stand for none (whitepaper §5.2). */
const NO_PRESHARED_KEY = new Uint8Array(KEY_LENGTH);

/**
 * One peer of a device: its sessions, its handshakes, the packets that wait for one, its timers (whitepaper §6). There
 * may be thousands that are never heard of: what only a handshake needs is made when there is one.
 */
export class Peer {
  readonly publicKey: Uint8Array;
  /** Sources that it may use besides its allowed IPs. */
  acceptFrom: readonly Prefix[] = [];
  /** Of all messages of the protocol, without IP and UDP headers. */
  txBytes = 0;
  rxBytes = 0;
  /** Unix time of the last handshake that this side knows to be complete. */
  lastHandshakeAt: Millis | undefined;

  readonly #host: PeerHost;
  #endpoint: Endpoint | undefined;
  #presharedKey: Uint8Array | undefined;
  #cookies: CookieGenerator | undefined;
  readonly #timers: PeerTimers;
  readonly #keypairs: Keypairs<Peer>;
  readonly #staged = new StagedPackets();
  #attempt = IDLE;
  /** DH(S_i, S_r) with the device's key, once it was needed. */
  #staticStatic: Uint8Array | undefined;
  #greatestTimestamp: Uint8Array | undefined;
  #initiationReceivedAt = millis(-Infinity);
  #initiationSentAt = millis(-Infinity);
  /** Unix time of the last timestamp sent. */
  #timestampSentAt = millis(-Infinity);

  constructor(host: PeerHost, publicKey: Uint8Array) {
    // A copy also of a Buffer, whose `slice` would share the memory of whoever calls.
    this.publicKey = new Uint8Array(publicKey);
    this.#host = host;
    this.#timers = new PeerTimers(host.timing);
    this.#keypairs = new Keypairs(host.release);
  }

  // Configuration

  get endpoint(): Endpoint | undefined {
    return this.#endpoint;
  }

  set endpoint(endpoint: Endpoint | undefined) {
    this.#endpoint = endpoint;
    if (this.#host.shareKeypairs) this.#host.emit({ kind: 'endpoint-changed', peer: this });
  }

  get presharedKey(): Uint8Array | undefined {
    return this.#presharedKey;
  }

  /** Wipes the one before. All zeros stand for none. */
  set presharedKey(key: Uint8Array | undefined) {
    this.#presharedKey?.fill(0);
    this.#presharedKey = key?.some((byte) => byte !== 0) ? new Uint8Array(key) : undefined;
  }

  /** In seconds; 0 is off. */
  get persistentKeepalive(): number {
    return this.#timers.persistentKeepalive / 1000;
  }

  set persistentKeepalive(interval: number) {
    this.#timers.persistentKeepalive = seconds(interval);
    this.#schedule();
  }

  /** To be called when there may be a reason to speak that was none before: a key, an endpoint, an interval. */
  start(now: Millis): void {
    if (this.#host.local === undefined || this.endpoint === undefined) return;
    if (this.#timers.persistentKeepalive > 0) {
      this.#timers.restartPersistentKeepalive(now);
      this.#sendKeepalive(now);
    } else if (this.#staged.length > 0) {
      this.#initiate(now);
    }
    this.#schedule();
  }

  /** Forgets all secrets, because the device's key changed or the peer is removed. Staged packets stay. */
  reset(): void {
    this.#endAttempt();
    this.#keypairs.destroyAll();
    this.#staticStatic?.fill(0);
    this.#staticStatic = undefined;
    this.#initiationSentAt = millis(-Infinity);
    this.#timers.stopAll();
    this.#schedule();
  }

  // Handshake

  /** Takes in an initiation that claims to be of this peer, and answers it. @returns why not, with nothing changed */
  handleInitiation(opened: OpenedInitiation, from: Endpoint, now: Millis): Dropped | undefined {
    const { primitives, indices } = this.#host;
    const staticStatic = this.#sharedSecret();
    if (staticStatic === undefined) return { drop: 'zero-shared-secret' };
    const authenticated = authenticateInitiation(opened, staticStatic);
    if ('drop' in authenticated) return authenticated;
    const { timestamp } = authenticated;
    const greatest = this.#greatestTimestamp;
    if (greatest !== undefined && !isLater(timestamp, greatest)) return { drop: 'stale-timestamp' };
    if (now - this.#initiationReceivedAt < INITIATION_INTERVAL) return { drop: 'initiation-flood' };

    const localIndex = indices.allocate(this);
    const fresh = { ephemeral: this.#newEphemeral(), localIndex };
    const secrets = this.#secretsToReveal(fresh.ephemeral);
    const response = createResponse(primitives, opened, this.#presharedKey ?? NO_PRESHARED_KEY, fresh);
    if ('drop' in response) {
      indices.remove(localIndex);
      return response;
    }
    this.#greatestTimestamp = new Uint8Array(timestamp);
    this.#initiationReceivedAt = now;
    this.#addKeypair(response.keys, { role: 'responder', localIndex, remoteIndex: opened.message.sender }, now);
    this.#roam(from);
    this.#timers.authenticatedReceived(now);
    this.#sendHandshake(response.datagram, secrets, from, now);
    this.#schedule();
    return undefined;
  }

  /** Takes in the response to an initiation. @returns why not, with nothing changed */
  handleResponse(message: HandshakeResponse, from: Endpoint, now: Millis): Dropped | undefined {
    const { primitives, local } = this.#host;
    const attempt = this.#attempt;
    if (local === undefined || attempt.state !== 'initiation-sent' || attempt.sent.localIndex !== message.receiver) {
      return { drop: 'unknown-index' };
    }
    const presharedKey = this.#presharedKey ?? NO_PRESHARED_KEY;
    const keys = consumeResponse(primitives, local, attempt.sent, { message, presharedKey });
    if ('drop' in keys) return keys;

    const session = { role: 'initiator', localIndex: message.receiver, remoteIndex: message.sender } as const;
    this.#addKeypair(keys, session, now);
    wipeInitiation(attempt.sent);
    this.#attempt = IDLE;
    this.#roam(from);
    this.#timers.authenticatedReceived(now);
    this.#handshakeComplete();
    // The responder may not send before it has heard something on the new keypair (§6.3).
    if (this.#staged.length > 0) this.#flush(now);
    else this.#sendKeepalive(now);
    this.#schedule();
    return undefined;
  }

  /** Keeps the cookie for the next handshake message; retransmission comes in its own time (§6.6). */
  handleCookieReply(reply: CookieReply, now: Millis): Dropped | undefined {
    return this.#cookies?.consumeReply(reply, now) ? undefined : { drop: 'invalid-cookie-reply' };
  }

  // Data

  /** The keypair to seal with, or `undefined`: then `stage` a copy of the packet. */
  sendingKeypair(now: Millis): Keypair | undefined {
    const { current } = this.#keypairs;
    return current !== undefined && maySeal(current, now) ? current : undefined;
  }

  /** Keeps a copy of `packet` until there is a keypair, and sees to it that a handshake runs. */
  stage(packet: Uint8Array, now: Millis): void {
    if (this.endpoint === undefined) {
      this.#host.drops['no-endpoint']++;
      return;
    }
    this.#host.drops['staged-too-many'] += this.#staged.push(new Uint8Array(packet));
    this.#flush(now);
    this.#schedule();
  }

  /** Sends `packet`, or stages it. */
  send(packet: Uint8Array, now: Millis): void {
    const keypair = this.sendingKeypair(now);
    if (keypair === undefined) this.stage(packet, now);
    else this.#seal(keypair, packet, now);
  }

  /** To be called when `packets` with payload (0: a keepalive), `bytes` on the wire, have been sent with `keypair`. */
  afterSending(keypair: Keypair, packets: number, bytes: number, now: Millis): void {
    this.txBytes += bytes;
    if (keypair.destroyed) return;
    this.#timers.authenticatedSent(now);
    if (packets > 0) this.#timers.dataSent(now);
    if (this.#isCurrent(keypair) && mustRekeyOnSend(keypair, this.#host.timing, now)) this.#initiate(now);
    this.#schedule();
  }

  /**
   * To be called when messages of `keypair` have been authenticated: `packets` with payload (0: keepalives only),
   * `bytes` on the wire. `from` is absent if it is the endpoint that is known.
   */
  afterReceiving(
    keypair: Keypair,
    batch: { readonly packets: number; readonly bytes: number },
    from: Endpoint | undefined,
    now: Millis,
  ): void {
    this.rxBytes += batch.bytes;
    if (keypair.destroyed) return;
    if (from !== undefined) this.#roam(from);
    this.#timers.authenticatedReceived(now);
    if (batch.packets > 0) this.#timers.dataReceived(now);
    if (this.#keypairs.confirm(keypair)) {
      keypair.shared?.confirm();
      if (keypair.shared !== undefined) this.#host.emit({ kind: 'keypair-current', keypair });
      this.#endAttempt();
      this.#handshakeComplete();
      if (this.#staged.length > 0) this.#flush(now);
    }
    if (this.#isCurrent(keypair) && mustRekeyOnReceive(keypair, this.#host.timing, now)) this.#initiate(now);
    this.#schedule();
  }

  handleTimeout(now: Millis): void {
    for (let timer = this.#timers.expired(now); timer !== undefined; timer = this.#timers.expired(now)) {
      this.#expire(timer, now);
    }
    this.#schedule();
  }

  #expire(timer: PeerTimer, now: Millis): void {
    switch (timer) {
      case 'retransmitHandshake':
        return this.#retransmit(now);
      case 'newHandshake':
        return this.#initiate(now);
      case 'sendKeepalive':
        return this.#sendKeepalive(now);
      case 'persistentKeepalive':
        this.#timers.restartPersistentKeepalive(now);
        return this.#sendKeepalive(now);
      case 'expireKeypairs':
        return this.#timers.expireKeypairsAt(this.#keypairs.expire(now));
    }
  }

  /** Starts a handshake unless one runs; at most one initiation in REKEY_TIMEOUT (§6.2). */
  #initiate(now: Millis): void {
    if (this.#attempt.state !== 'idle' || this.endpoint === undefined || this.#host.local === undefined) return;
    const earliest = after(this.#initiationSentAt, this.#host.timing.rekeyTimeout);
    this.#attempt = { state: 'waiting', startedAt: now };
    if (now < earliest) this.#timers.retransmitHandshakeAt(earliest);
    else this.#sendInitiation(now, now);
  }

  /** If one is waiting for an answer. Who asks knows that the way has changed since. */
  repeatInitiation(now: Millis): void {
    if (this.#attempt.state !== 'initiation-sent') return;
    this.#sendInitiation(this.#attempt.startedAt, now);
    this.#schedule();
  }

  #retransmit(now: Millis): void {
    if (this.#attempt.state === 'idle') return;
    const { startedAt } = this.#attempt;
    if (now - startedAt < this.#host.timing.rekeyAttemptTime) return this.#sendInitiation(startedAt, now);
    this.#abandonAttempt();
  }

  #sendInitiation(startedAt: Millis, now: Millis): void {
    const { primitives, local, indices, timing, unixTime } = this.#host;
    const staticStatic = this.#sharedSecret();
    if (local === undefined || this.endpoint === undefined || staticStatic === undefined) return this.#abandonAttempt();
    this.#endAttempt();
    // A clock that was set back would have the peer ignore us until it has caught up.
    this.#timestampSentAt = millis(Math.max(unixTime(), this.#timestampSentAt + TIMESTAMP_GRANULARITY));
    const localIndex = indices.allocate(this);
    const timestamp = timestampAt(this.#timestampSentAt);
    const remote = { publicKey: this.publicKey, staticStatic };
    const fresh = { ephemeral: this.#newEphemeral(), localIndex, timestamp };
    const initiation = createInitiation(primitives, local, remote, fresh);
    if ('drop' in initiation) {
      fresh.ephemeral.privateKey.fill(0);
      indices.remove(localIndex);
      return this.#abandonAttempt();
    }
    const secrets = this.#secretsToReveal(fresh.ephemeral);
    this.#attempt = { state: 'initiation-sent', startedAt, sent: initiation.sent };
    this.#initiationSentAt = now;
    this.#timers.retransmitHandshakeAt(after(now, millis(timing.rekeyTimeout + this.#jitter())));
    this.#sendHandshake(initiation.datagram, secrets, this.endpoint, now);
  }

  /** Nobody answered in REKEY_ATTEMPT_TIME, or nobody could (§6.4). */
  #abandonAttempt(): void {
    this.#endAttempt();
    this.#timers.handshakeAbandoned();
    this.#host.drops['handshake-abandoned'] += this.#staged.length;
    this.#staged.clear();
    this.#host.emit({ kind: 'handshake-abandoned', peer: this });
  }

  #endAttempt(): void {
    if (this.#attempt.state === 'initiation-sent') {
      this.#host.indices.remove(this.#attempt.sent.localIndex);
      wipeInitiation(this.#attempt.sent);
    }
    this.#attempt = IDLE;
  }

  #roam(from: Endpoint): void {
    if (this.#host.mayRoam(this, from)) this.endpoint = from;
  }

  #handshakeComplete(): void {
    this.lastHandshakeAt = this.#host.unixTime();
    this.#timers.handshakeOver();
    this.#host.emit({ kind: 'handshake-complete', peer: this });
  }

  #addKeypair(
    keys: SessionKeys,
    session: { readonly role: 'initiator' | 'responder'; readonly localIndex: number; readonly remoteIndex: number },
    now: Millis,
  ): void {
    const { primitives, timing, indices, shareKeypairs } = this.#host;
    const expiresAt = after(now, timing.rejectAfterTime);
    const shared = shareKeypairs ? new SharedSession() : undefined;
    const copies = shareKeypairs ? { sendKey: keys.sendKey.slice(), receiveKey: keys.receiveKey.slice() } : undefined;
    const keypair = new KeypairOf<Peer>(primitives, keys, {
      ...session,
      peer: this,
      createdAt: now,
      expiresAt,
      shared,
    });
    this.#keypairs.add(keypair);
    indices.promote(session.localIndex, keypair);
    if (copies !== undefined) {
      this.#host.emit({ kind: 'keypair-made', keypair, keys: copies });
      if (session.role === 'initiator') this.#host.emit({ kind: 'keypair-current', keypair });
    }
    this.#timers.expireKeypairsAt(this.#keypairs.expire(now));
  }

  /** The end of an older keypair, with which something was under way, calls for nothing. */
  #isCurrent(keypair: Keypair): boolean {
    return keypair === this.#keypairs.current;
  }

  /** Sends what is staged, or sees to it that a handshake runs. */
  #flush(now: Millis): void {
    while (this.#staged.length > 0) {
      const keypair = this.sendingKeypair(now);
      if (keypair === undefined) {
        // A packet that wants to be sent begins the attempt's time anew (§6.4).
        if (this.#attempt.state !== 'idle') this.#attempt = { ...this.#attempt, startedAt: now };
        return this.#initiate(now);
      }
      this.#seal(keypair, this.#staged.shift()!, now);
    }
  }

  #sendKeepalive(now: Millis): void {
    const keypair = this.sendingKeypair(now);
    if (keypair === undefined) this.#initiate(now);
    else this.#seal(keypair, new Uint8Array(0), now);
  }

  #seal(keypair: Keypair, packet: Uint8Array, now: Millis): void {
    const { mtu } = this.#host;
    const datagram = new Uint8Array(TRANSPORT_HEADER + paddedLength(packet.length, mtu) + TAG);
    datagram.set(packet, TRANSPORT_HEADER);
    keypair.claim(1);
    if (sealTransportData(keypair, datagram, 0, packet.length, mtu) < 0) return;
    if (this.endpoint !== undefined) this.#host.emit({ kind: 'send', datagram, to: this.endpoint, peer: this });
    this.afterSending(keypair, packet.length > 0 ? 1 : 0, datagram.length, now);
  }

  #sendHandshake(datagram: Uint8Array, secrets: HandshakeSecrets | undefined, to: Endpoint, now: Millis): void {
    if (secrets !== undefined) this.#host.emit({ kind: 'handshake-secrets', peer: this, secrets });
    const { primitives, timing } = this.#host;
    this.#cookies ??= new CookieGenerator(primitives, this.publicKey, timing.cookieLifetime);
    this.#cookies.addMacs(datagram, now);
    this.txBytes += datagram.length;
    this.#timers.authenticatedSent(now);
    this.#host.emit({ kind: 'send', datagram, to, peer: this });
  }

  #sharedSecret(): Uint8Array | undefined {
    const { primitives, local } = this.#host;
    if (local !== undefined) this.#staticStatic ??= primitives.sharedSecret(local.privateKey, this.publicKey);
    return this.#staticStatic;
  }

  #secretsToReveal(ephemeral: KeyPair): HandshakeSecrets | undefined {
    const { local, revealSecrets } = this.#host;
    if (!revealSecrets || local === undefined) return undefined;
    return {
      localStaticPrivateKey: local.privateKey.slice(),
      remoteStaticPublicKey: this.publicKey.slice(),
      localEphemeralPrivateKey: ephemeral.privateKey.slice(),
      presharedKey: (this.#presharedKey ?? NO_PRESHARED_KEY).slice(),
    };
  }

  #newEphemeral(): KeyPair {
    const { primitives } = this.#host;
    const privateKey = primitives.randomBytes(KEY_LENGTH);
    return { privateKey, publicKey: primitives.publicKey(privateKey) };
  }

  #jitter(): number {
    const [high, low] = this.#host.primitives.randomBytes(2);
    return Math.floor((((high << 8) | low) / 0x1_0000) * RETRANSMISSION_JITTER);
  }

  #schedule(): void {
    this.#host.schedule(this, this.#timers.next());
  }
}
