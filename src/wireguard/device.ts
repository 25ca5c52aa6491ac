import type { KeyPair, Primitives } from '../crypto/primitives.ts';
import { WiremeshError } from '../error.ts';
import type { Endpoint } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import { AllowedIps, longestCover } from './allowed-ips.ts';
import type { DeviceChange, DeviceState, PeerChange, PeerState } from './configuration.ts';
import { KEY_LENGTH, MAC_LENGTH, TIMING, type Timing } from './constants.ts';
import { CookieChecker } from './cookie.ts';
import { DeadlineQueue } from './deadline-queue.ts';
import { noDrops, type DropCounts, type DropReason } from './drop-reason.ts';
import { openInitiation } from './handshake.ts';
import { IndexTable } from './index-table.ts';
import {
  MESSAGE_TYPE,
  messageType,
  readCookieReply,
  readInitiation,
  readResponse,
  readTransportReceiver,
} from './messages.ts';
import { Peer, type DeviceOutput, type Keypair, type PeerHost, type SharingOutput } from './peer.ts';
import { RateLimiter } from './rate-limiter.ts';
import { innerPacketLength, openTransportData } from './transport.ts';

/** A configuration change makes no sense; nothing of it was carried out. */
export class InvalidConfigurationError extends WiremeshError {
  readonly code = 'INVALID_CONFIGURATION';
}

/** For sources that have proved their address by a cookie: each costs curve operations. */
const HANDSHAKE_RATE = { perSecond: 20, burst: 5, othersPerSecond: 100 };
/**
 * Cookie replies to one source. An honest one asks once in REKEY_TIMEOUT; to forged ones they are work for nothing,
 * and traffic for whom the address belongs to.
 */
const COOKIE_RATE = { perSecond: 1, burst: 3, othersPerSecond: 1000 };

export interface DeviceOptions {
  readonly primitives: Primitives;
  /** The wall clock, for timestamps; `now` arguments are of a clock that never goes back. */
  readonly unixTime: () => Millis;
  /** Other times than the whitepaper's, for tests. */
  readonly timing?: Partial<Timing>;
  /**
   * Has `poll` give out the secrets of each handshake (`handshake-secrets`), for a key log: whoever reads that can read
   * the traffic. Off unless asked for; then no secret is copied.
   */
  readonly revealSecrets?: boolean;
  /** Has other threads seal and open, too; `poll` then gives out what they have to know (`SharingOutput`). */
  readonly shareKeypairs?: boolean;
}

/**
 * All peers of one WireGuard interface. A machine: datagrams, packets and time go in, `poll` says what is to be sent
 * and delivered. The data path of src/device goes past `handlePacket` and `handleDatagram` with `allowedIps`,
 * `findKeypair` and transport.ts.
 */
export class Device {
  readonly allowedIps = new AllowedIps<Peer>();
  readonly drops: DropCounts = noDrops();
  /** Set by the owner of the socket: handshake messages must now bring a cookie (whitepaper §5.3). */
  underLoad = false;
  /** Set by an owner that knows endpoints which are not to replace others; see `PeerHost.mayRoam`. */
  mayRoam: (peer: Peer, from: Endpoint) => boolean = () => true;
  /** Of the interface; set by its owner. Padding never goes beyond it. */
  mtu = 1420;

  readonly #primitives: Primitives;
  readonly #timing: Timing;
  readonly #peersByKey = new Map<string, Peer>();
  readonly #indices: IndexTable<Peer, Keypair>;
  readonly #deadlines = new DeadlineQueue<Peer>();
  readonly #handshakeLimiter = new RateLimiter(HANDSHAKE_RATE);
  readonly #cookieLimiter = new RateLimiter(COOKIE_RATE);
  readonly #host: PeerHost;
  #local: { readonly keys: KeyPair; readonly checker: CookieChecker } | undefined;
  #listenPort = 0;
  #fwmark = 0;
  #output: DeviceOutput[] = [];
  #polled = 0;

  constructor(options: DeviceOptions) {
    const { primitives, timing } = options;
    this.#primitives = primitives;
    this.#timing = { ...TIMING, ...timing };
    this.#indices = new IndexTable(primitives.randomBytes);
    this.#host = this.#createHost(options);
  }

  // Configuration

  configure(change: DeviceChange, now: Millis): void {
    validate(change);
    if (change.listenPort !== undefined) this.#listenPort = change.listenPort;
    if (change.fwmark !== undefined) this.#fwmark = change.fwmark;
    if (change.replacePeers === true) for (const peer of this.#peersByKey.values()) this.#remove(peer);
    const hasNewKey = change.privateKey !== undefined && this.#setPrivateKey(change.privateKey, now);
    for (const peerChange of change.peers ?? []) this.#configurePeer(peerChange, now);
    if (hasNewKey) for (const peer of this.#peersByKey.values()) peer.start(now);
  }

  /** With copies of all keys, for the caller to wipe (`wipeSecrets`). */
  state(): DeviceState {
    return this.#state(true);
  }

  /** `state` without private and preshared keys, whether there are any or not; of the peers with these keys, if given. */
  publicState(publicKeys?: readonly Uint8Array[]): DeviceState {
    if (publicKeys === undefined) return this.#state(false);
    return this.#state(
      false,
      publicKeys.flatMap((publicKey) => this.findPeer(publicKey) ?? []),
    );
  }

  findPeer(publicKey: Uint8Array): Peer | undefined {
    return this.#peersByKey.get(keyOf(publicKey));
  }

  // The network

  /** Takes in any datagram, of which nothing is known. */
  handleDatagram(datagram: Uint8Array, from: Endpoint, now: Millis): void {
    const reason = this.#take(datagram, from, now);
    if (reason !== undefined) this.drops[reason]++;
  }

  /**
   * Whether the handshake message of `length` bytes at `offset` would get no answer: under load, without a cookie, and
   * from a source that has been told often enough how to get one. Allocates next to nothing: a flood consists of these.
   */
  // An object for the parameters would be an allocation a datagram.
  // eslint-disable-next-line max-params
  isFlood(bytes: Uint8Array, offset: number, length: number, source: Uint8Array, now: Millis): boolean {
    if (!this.underLoad || length < MAC_LENGTH) return false;
    const end = offset + length;
    for (let i = end - MAC_LENGTH; i < end; i++) if (bytes[i] !== 0) return false;
    return this.#cookieLimiter.isExhausted(source, now);
  }

  /** The keypair that transport data with this receiver index is for. */
  findKeypair(receiverIndex: number): Keypair | undefined {
    return this.#indices.keypair(receiverIndex);
  }

  /** Whether `peer` may use the source of the IP packet at `offset`. Allocates nothing. */
  isSourceAllowed(bytes: Uint8Array, offset: number, peer: Peer): boolean {
    if (this.allowedIps.lookupSource(bytes, offset) === peer) return true;
    const accepted = longestCover(peer.acceptFrom, bytes, offset);
    return accepted >= 0 && accepted >= this.allowedIps.sourcePrefixLength(bytes, offset);
  }

  // The host

  /** Sends an IP packet to the peer that it is for, as soon as there is a session. */
  handlePacket(packet: Uint8Array, now: Millis): void {
    const isPacket = innerPacketLength(packet, 0, packet.length) === packet.length;
    const peer = isPacket ? this.allowedIps.lookupDestination(packet, 0) : undefined;
    if (peer === undefined) this.drops[isPacket ? 'no-route' : 'malformed-inner-packet']++;
    else peer.send(packet, now);
  }

  // Time and output

  handleTimeout(now: Millis): void {
    for (let peer = this.#deadlines.takeDue(now); peer !== undefined; peer = this.#deadlines.takeDue(now)) {
      peer.handleTimeout(now);
    }
  }

  nextTimeout(): Millis | undefined {
    return this.#deadlines.next();
  }

  poll(): DeviceOutput | undefined {
    if (this.#polled < this.#output.length) return this.#output[this.#polled++];
    if (this.#polled > 0) [this.#output, this.#polled] = [[], 0];
    return undefined;
  }

  #take(datagram: Uint8Array, from: Endpoint, now: Millis): DropReason | undefined {
    switch (messageType(datagram)) {
      case MESSAGE_TYPE.initiation:
        return this.#takeInitiation(datagram, from, now);
      case MESSAGE_TYPE.response:
        return this.#takeResponse(datagram, from, now);
      case MESSAGE_TYPE.cookieReply:
        return this.#takeCookieReply(datagram, now);
      case MESSAGE_TYPE.transportData:
        return this.#takeTransportData(datagram, from, now);
      default:
        return 'malformed';
    }
  }

  #takeInitiation(datagram: Uint8Array, from: Endpoint, now: Millis): DropReason | undefined {
    const message = readInitiation(datagram);
    if (message === undefined) return 'malformed';
    if (this.#local === undefined) return 'no-private-key';
    const refused = this.#refusal(datagram, message.sender, from, now);
    if (refused !== undefined) return refused;
    const opened = openInitiation(this.#primitives, this.#local.keys, message);
    if ('drop' in opened) return opened.drop;
    try {
      const peer = this.findPeer(opened.staticPublicKey);
      if (peer === undefined) return 'unknown-peer';
      const dropped = peer.handleInitiation(opened, from, now);
      if (dropped === undefined) peer.rxBytes += datagram.length;
      return dropped?.drop;
    } finally {
      opened.transcript.wipe();
    }
  }

  #takeResponse(datagram: Uint8Array, from: Endpoint, now: Millis): DropReason | undefined {
    const message = readResponse(datagram);
    if (message === undefined) return 'malformed';
    const refused = this.#refusal(datagram, message.sender, from, now);
    if (refused !== undefined) return refused;
    const peer = this.#indices.handshake(message.receiver);
    if (peer === undefined) return 'unknown-index';
    const dropped = peer.handleResponse(message, from, now);
    if (dropped === undefined) peer.rxBytes += datagram.length;
    return dropped?.drop;
  }

  /** Why a handshake message is not worth a curve operation, if so. */
  #refusal(datagram: Uint8Array, sender: number, from: Endpoint, now: Millis): DropReason | undefined {
    if (this.#local === undefined) return 'no-private-key';
    const { checker } = this.#local;
    if (!checker.isMac1Valid(datagram)) return 'invalid-mac1';
    if (!this.underLoad) return undefined;
    if (!checker.isMac2Valid(datagram, from, now)) {
      if (!this.#cookieLimiter.allow(from.address.bytes, now)) return 'rate-limited';
      const reply = checker.createReply(datagram, sender, from, now);
      this.#output.push({ kind: 'send', datagram: reply, to: from, peer: undefined });
      return 'invalid-mac2';
    }
    return this.#handshakeLimiter.allow(from.address.bytes, now) ? undefined : 'rate-limited';
  }

  #takeCookieReply(datagram: Uint8Array, now: Millis): DropReason | undefined {
    const reply = readCookieReply(datagram);
    if (reply === undefined) return 'malformed';
    const peer = this.#indices.handshake(reply.receiver) ?? this.#indices.keypair(reply.receiver)?.peer;
    if (peer === undefined) return 'unknown-index';
    const dropped = peer.handleCookieReply(reply, now);
    if (dropped === undefined) peer.rxBytes += datagram.length;
    return dropped?.drop;
  }

  #takeTransportData(datagram: Uint8Array, from: Endpoint, now: Millis): DropReason | undefined {
    const receiver = readTransportReceiver(datagram);
    if (receiver === undefined) return 'malformed';
    const keypair = this.findKeypair(receiver);
    if (keypair === undefined) return 'unknown-index';
    const place = { bytes: new Uint8Array(datagram.length), offset: 0 };
    const opened = openTransportData(keypair, datagram, 0, datagram.length, place, now);
    if (opened < 0) return 'transport-not-authentic';
    const { peer } = keypair;
    peer.afterReceiving(keypair, { packets: opened > 0 ? 1 : 0, bytes: datagram.length }, from, now);
    if (opened === 0) return undefined;
    const length = innerPacketLength(place.bytes, 0, opened);
    if (length < 0) return 'malformed-inner-packet';
    if (!this.isSourceAllowed(place.bytes, 0, peer)) return 'source-not-allowed';
    const packet = place.bytes.subarray(0, length);
    this.#output.push({ kind: 'deliver', packet, peer });
    return undefined;
  }

  /** @returns whether it is another key than before */
  #setPrivateKey(bytes: Uint8Array, now: Millis): boolean {
    const privateKey = isZero(bytes) ? undefined : clamped(bytes);
    const old = this.#local?.keys.privateKey;
    if (privateKey === undefined ? old === undefined : old !== undefined && this.#primitives.equal(privateKey, old)) {
      return false;
    }
    for (const peer of this.#peersByKey.values()) peer.reset();
    old?.fill(0);
    this.#local = undefined;
    if (privateKey === undefined) return true;
    const publicKey = this.#primitives.publicKey(privateKey);
    const checker = new CookieChecker(this.#primitives, publicKey, this.#timing.cookieLifetime, now);
    this.#local = { keys: { privateKey, publicKey }, checker };
    const self = this.findPeer(publicKey);
    if (self !== undefined) this.#remove(self);
    return true;
  }

  #configurePeer(change: PeerChange, now: Millis): void {
    const known = this.findPeer(change.publicKey);
    if (change.remove === true) {
      if (known !== undefined) this.#remove(known);
      return;
    }
    if (known === undefined && (change.updateOnly === true || this.#isOwnKey(change.publicKey))) return;
    const peer = known ?? this.#add(change.publicKey);
    const spokeAlready = peer.persistentKeepalive > 0 && peer.endpoint !== undefined;
    if (change.presharedKey !== undefined) peer.presharedKey = change.presharedKey;
    if (change.endpoint !== undefined) peer.endpoint = change.endpoint;
    if (change.acceptFrom !== undefined) peer.acceptFrom = change.acceptFrom;
    if (change.repeatInitiation === true) peer.repeatInitiation(now);
    if (change.persistentKeepalive !== undefined) peer.persistentKeepalive = change.persistentKeepalive;
    if (change.replaceAllowedIps === true) this.allowedIps.removeAll(peer);
    for (const { prefix, remove } of change.allowedIps ?? []) {
      if (remove === true) this.allowedIps.remove(prefix, peer);
      else this.allowedIps.add(prefix, peer);
    }
    if (change.replaceAllowedIps === true || change.allowedIps !== undefined) {
      this.#share({ kind: 'allowed-ips-changed', peer });
    }
    if (!spokeAlready) peer.start(now);
  }

  /** A peer that is ourselves would be a loop (a configuration shared by all machines of a network lists it). */
  #isOwnKey(publicKey: Uint8Array): boolean {
    return this.#local !== undefined && keyOf(publicKey) === keyOf(this.#local.keys.publicKey);
  }

  #add(publicKey: Uint8Array): Peer {
    const peer = new Peer(this.#host, publicKey);
    this.#peersByKey.set(keyOf(publicKey), peer);
    return peer;
  }

  #remove(peer: Peer): void {
    peer.reset();
    peer.presharedKey = undefined;
    this.allowedIps.removeAll(peer);
    this.#peersByKey.delete(keyOf(peer.publicKey));
    this.#share({ kind: 'peer-removed', peer });
  }

  #share(output: SharingOutput): void {
    if (this.#host.shareKeypairs) this.#output.push(output);
  }

  #state(withSecrets: boolean, peers: Iterable<Peer> = this.#peersByKey.values()): DeviceState {
    return {
      privateKey: withSecrets ? this.#local?.keys.privateKey.slice() : undefined,
      publicKey: this.#local?.keys.publicKey,
      listenPort: this.#listenPort,
      fwmark: this.#fwmark,
      peers: Array.from(peers, (peer) => this.#peerState(peer, withSecrets)),
    };
  }

  #peerState(peer: Peer, withSecrets: boolean): PeerState {
    return {
      publicKey: peer.publicKey,
      presharedKey: withSecrets ? peer.presharedKey?.slice() : undefined,
      endpoint: peer.endpoint,
      lastHandshakeAt: peer.lastHandshakeAt,
      txBytes: peer.txBytes,
      rxBytes: peer.rxBytes,
      persistentKeepalive: peer.persistentKeepalive,
      allowedIps: this.allowedIps.list(peer),
    };
  }

  #createHost({ unixTime, revealSecrets = false, shareKeypairs = false }: DeviceOptions): PeerHost {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the getters below have a `this` of their own
    const device = this;
    return {
      primitives: this.#primitives,
      timing: this.#timing,
      revealSecrets,
      shareKeypairs,
      unixTime,
      indices: this.#indices,
      drops: this.drops,
      get local() {
        return device.#local?.keys;
      },
      get mtu() {
        return device.mtu;
      },
      mayRoam: (peer, from) => this.mayRoam(peer, from),
      emit: (output) => this.#output.push(output),
      release: (keypair) => {
        this.#indices.remove(keypair.localIndex);
        this.#share({ kind: 'keypair-destroyed', keypair });
      },
      schedule: (peer, at) => this.#deadlines.set(peer, at),
    };
  }
}

function validate({ privateKey, listenPort, fwmark, peers }: DeviceChange): void {
  if (privateKey !== undefined) requireKey(privateKey, 'a private key');
  if (listenPort !== undefined) requireInteger(listenPort, 0xffff, 'a port');
  if (fwmark !== undefined) requireInteger(fwmark, 0xffff_ffff, 'a mark');
  for (const { publicKey, presharedKey, persistentKeepalive } of peers ?? []) {
    requireKey(publicKey, 'a public key');
    if (presharedKey !== undefined) requireKey(presharedKey, 'a preshared key');
    if (persistentKeepalive !== undefined)
      requireInteger(persistentKeepalive, 0xffff, 'a keepalive interval in seconds');
  }
}

function requireKey(key: Uint8Array, subject: string): void {
  if (key.length !== KEY_LENGTH) {
    throw new InvalidConfigurationError(`${subject} has ${KEY_LENGTH} bytes, not ${key.length}`);
  }
}

function requireInteger(value: number, greatest: number, subject: string): void {
  if (!Number.isInteger(value) || value < 0 || value > greatest) {
    throw new InvalidConfigurationError(`${subject} is a whole number from 0 to ${greatest}, not ${value}`);
  }
}

/** As X25519 reads it (RFC 7748 §5), so that everybody sees one and the same key. */
function clamped(privateKey: Uint8Array): Uint8Array {
  const key = new Uint8Array(privateKey);
  key[0] &= 0xf8;
  key[31] = (key[31] & 0x7f) | 0x40;
  return key;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function keyOf(publicKey: Uint8Array): string {
  return String.fromCharCode(...publicKey);
}
