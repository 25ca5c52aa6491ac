import type { Endpoint } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { AllowedIps, KeypairOf, maySeal, SharedSession } from '../wireguard/index.ts';
import type { Attention } from './attention.ts';
import type { PathDevice, PathKeypair, PathPeer } from './path-device.ts';
import { SharedEndpoint } from './shared-endpoint.ts';
import type { TeamOrder, TeamReport } from './team-messages.ts';

/** Packets of one thread for one peer that the device thread has not sent yet; as many as that keeps for a peer. */
const MOST_STAGED = 128;
/** Handshake and control messages hardly ever come here (`openUdpGroup`): nobody is to be flooded this way. */
const DATAGRAMS_PER_SECOND = 500;

type OrderAboutPeer = 'keypair' | 'endpoint' | 'allowed-ips' | 'staged' | 'peer-removed';

/** How a replica reaches the device thread. */
export interface Uplink {
  readonly attention: Attention;
  report(report: TeamReport): void;
  /** Wakes the device thread. */
  wake(): void;
  /** Has what the device thread has ordered meanwhile obeyed. */
  catchUp(): void;
}

/** A peer of the device thread, as a transport thread sees it. */
class PeerReplica implements PathPeer {
  /** As it was ordered; from the first keypair on `shared` knows better. */
  ordered: Endpoint | undefined;
  shared: SharedEndpoint | undefined;
  current: PathKeypair | undefined;
  /** A responder's, which becomes `current` with the first message on it, whichever thread receives that. */
  next: PathKeypair | undefined;
  readonly publicKey: Uint8Array;
  readonly #id: number;
  readonly #uplink: Uplink;
  #staged = 0;
  #stagedTaken = 0;
  /** Keypairs of which the device thread has been told that they were heard. */
  readonly #heard = new WeakSet<PathKeypair>();

  constructor(id: number, publicKey: Uint8Array, uplink: Uplink) {
    this.#id = id;
    this.publicKey = publicKey;
    this.#uplink = uplink;
  }

  get endpoint(): Endpoint | undefined {
    return this.shared === undefined ? this.ordered : this.shared.get();
  }

  /** None as long as packets of this thread are on their way through the device thread: others would overtake them. */
  sendingKeypair(now: Millis): PathKeypair | undefined {
    if (this.next?.shared?.isConfirmed) this.use(this.next);
    const { current } = this;
    return current !== undefined && this.#staged === this.#stagedTaken && maySeal(current, now) ? current : undefined;
  }

  use(keypair: PathKeypair): void {
    this.current = keypair;
    if (this.next === keypair) this.next = undefined;
  }

  forget(keypair: PathKeypair): void {
    if (this.current === keypair) this.current = undefined;
    if (this.next === keypair) this.next = undefined;
  }

  stage(packet: Uint8Array): void {
    if (this.#staged - this.#stagedTaken >= MOST_STAGED) return;
    this.#staged++;
    this.#uplink.report({ kind: 'stage', peer: this.#id, packet: packet.slice() });
  }

  handleStaged(count: number): void {
    this.#stagedTaken = count;
  }

  afterSending(keypair: PathKeypair, packets: number, bytes: number, now: Millis): void {
    keypair.shared?.noteSent(packets, bytes, now);
    if (this.#uplink.attention.raise()) this.#uplink.wake();
  }

  // As in `Peer`.

  afterReceiving(
    keypair: PathKeypair,
    batch: { readonly packets: number; readonly bytes: number },
    from: Endpoint | undefined,
    now: Millis,
  ): void {
    keypair.shared?.noteReceived(batch.packets, batch.bytes, now);
    const isFirst = !this.#heard.has(keypair);
    // Where the answer is to go, and with which keypair, the other threads must know before the packets are delivered.
    if (from !== undefined) this.shared?.set(from);
    if (isFirst) {
      keypair.shared?.confirm();
      this.#heard.add(keypair);
    }
    if (isFirst || from !== undefined) this.#uplink.report({ kind: 'heard', localIndex: keypair.localIndex, from });
    else if (this.#uplink.attention.raise()) this.#uplink.wake();
  }
}

/** What a transport thread knows of the device: all that sealing and opening needs, and nothing of handshakes. */
export class DeviceReplica implements PathDevice {
  readonly allowedIps = new AllowedIps<PeerReplica>();
  mtu = 0;
  underLoad = false;
  mayRoam = (): boolean => true;
  readonly #primitives: Primitives;
  readonly #uplink: Uplink;
  readonly #peers = new Map<number, PeerReplica>();
  /** By `localIndex`, read as a signed integer, because that needs no allocation as a map key. */
  readonly #keypairs = new Map<number, KeypairOf<PeerReplica>>();
  #second = 0;
  #datagrams = 0;

  constructor(primitives: Primitives, uplink: Uplink) {
    this.#primitives = primitives;
    this.#uplink = uplink;
  }

  /** Nobody asks: relays are of the device thread. */
  findPeer(): undefined {
    return undefined;
  }

  isSourceAllowed(bytes: Uint8Array, offset: number, peer: PathPeer): boolean {
    return this.allowedIps.lookupSource(bytes, offset) === peer;
  }

  findKeypair(receiverIndex: number): PathKeypair | undefined {
    const known = this.#keypairs.get(receiverIndex | 0);
    if (known !== undefined) return known;
    // The first message on a keypair may be here before the order that tells of it has been read.
    this.#uplink.catchUp();
    return this.#keypairs.get(receiverIndex | 0);
  }

  /** Hands it to the device thread. */
  handleDatagram(datagram: Uint8Array, from: Endpoint, now: Millis): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#datagrams = 0;
    }
    if (this.#datagrams++ < DATAGRAMS_PER_SECOND) this.#uplink.report({ kind: 'datagram', datagram, from });
  }

  /** The device thread judges that. */
  isFlood(): boolean {
    return false;
  }

  obey(order: Exclude<TeamOrder, { kind: 'start' | 'sockets' | 'end' }>): void {
    switch (order.kind) {
      case 'mtu':
        this.mtu = order.mtu;
        break;
      case 'peer':
        this.#peers.set(order.peer, new PeerReplica(order.peer, order.publicKey, this.#uplink));
        break;
      case 'keypair':
      case 'endpoint':
      case 'allowed-ips':
      case 'staged':
      case 'peer-removed': {
        const peer = this.#peers.get(order.peer);
        if (peer !== undefined) this.#obeyAbout(peer, order);
        break;
      }
      case 'keypair-current': {
        const keypair = this.#keypairs.get(order.localIndex | 0);
        keypair?.peer.use(keypair);
        break;
      }
      case 'keypair-destroyed':
        return this.#destroyKeypair(order.localIndex);
    }
  }

  #obeyAbout(peer: PeerReplica, order: Extract<TeamOrder, { kind: OrderAboutPeer }>): void {
    switch (order.kind) {
      case 'keypair':
        return this.#addKeypair(peer, order);
      case 'endpoint':
        peer.ordered = order.endpoint;
        break;
      case 'allowed-ips':
        this.allowedIps.removeAll(peer);
        for (const prefix of order.prefixes) this.allowedIps.add(prefix, peer);
        break;
      case 'staged':
        return peer.handleStaged(order.count);
      case 'peer-removed':
        this.allowedIps.removeAll(peer);
        this.#peers.delete(order.peer);
    }
  }

  /** Wipes all keys. */
  destroy(): void {
    for (const keypair of this.#keypairs.values()) keypair.destroy();
    this.#keypairs.clear();
  }

  #addKeypair(peer: PeerReplica, { endpoint, keys, session }: Extract<TeamOrder, { kind: 'keypair' }>): void {
    peer.shared ??= new SharedEndpoint(endpoint);
    const keypair = new KeypairOf<PeerReplica>(this.#primitives, keys, {
      ...session,
      peer,
      createdAt: millis(session.createdAt),
      expiresAt: millis(session.expiresAt),
      shared: new SharedSession(session.memory),
    });
    this.#keypairs.set(keypair.localIndex | 0, keypair);
    if (keypair.role === 'responder') peer.next = keypair;
  }

  #destroyKeypair(localIndex: number): void {
    const keypair = this.#keypairs.get(localIndex | 0);
    if (keypair === undefined) return;
    keypair.destroy();
    this.#keypairs.delete(localIndex | 0);
    keypair.peer.forget(keypair);
  }
}
