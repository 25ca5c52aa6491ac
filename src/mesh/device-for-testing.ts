/**
 * A model of a WireGuard device with relaying, in virtual time, as far as mesh nodes depend on it: a handshake completes
 * when both sides have each other's key; one initiation in five seconds; sessions of 180 seconds that their initiator
 * renews after 120; a new handshake when nothing came back for fifteen seconds; passive keepalives; allowed IPs; roaming,
 * but not from a direct endpoint to a relayed one. Nothing is encrypted.
 */
import { addressesEqual, endpointOf, formatAddress, type Endpoint, type IpAddress } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { DeviceChange, PeerState } from '../wireguard/configuration.ts';
import { isMeshAddress } from './address.ts';
import { toHex } from './hex.ts';
import type { PacketLimitChange, RelayRouteChange } from './node-interface.ts';
import type { PacketLimit } from './path-mtu/path-mtu.ts';
import { RELAY_PORT } from './paths.ts';

const REKEY_TIMEOUT = seconds(5);
const GIVE_UP_AFTER = seconds(90);
const NEW_HANDSHAKE_AFTER = seconds(15);
const REKEY_AFTER_TIME = seconds(120);
const REJECT_AFTER_TIME = seconds(180);
const KEEPALIVE_TIMEOUT = seconds(10);
const ACTIVE_INTERVAL = seconds(1);
const HOP_LIMIT = 32;

/** What one transport message carries. */
export type Inner =
  | { readonly kind: 'keepalive' }
  /** Of the mesh node, or of an application. */
  | { readonly kind: 'mesh' | 'host'; readonly datagram: Uint8Array }
  | {
      readonly kind: 'relayed';
      readonly source: IpAddress;
      readonly destination: IpAddress;
      readonly hopLimit: number;
      readonly message: WireGuardMessage;
    };

export type WireGuardMessage =
  | { readonly kind: 'initiation' | 'response'; readonly key: string; readonly to: string; readonly session: number }
  | { readonly kind: 'transport'; readonly session: number; readonly from: IpAddress; readonly inner: Inner };

/** In bytes, without IP and UDP headers. */
export function lengthOfMessage(message: WireGuardMessage): number {
  if (message.kind !== 'transport') return message.kind === 'initiation' ? 148 : 92;
  return 32 + Math.ceil(lengthOfInner(message.inner) / 16) * 16;
}

function lengthOfInner(inner: Inner): number {
  if (inner.kind === 'keepalive') return 0;
  return 48 + (inner.kind === 'relayed' ? lengthOfMessage(inner.message) : inner.datagram.length);
}

interface Session {
  readonly id: number;
  readonly createdAt: Millis;
  readonly isInitiator: boolean;
}

interface Peer {
  readonly key: Uint8Array;
  allowedIp: IpAddress;
  endpoint: Endpoint | undefined;
  /** The newest first, as many as WireGuard keeps. */
  sessions: Session[];
  /** As responder: not used for sending before something has come in it. */
  nextSession: number | undefined;
  queue: Inner[];
  initiatedAt: Millis;
  queuedAt: Millis;
  unansweredSince: Millis | undefined;
  sentAt: Millis;
  keepaliveDueAt: Millis | undefined;
  activeAt: Millis;
  lastHandshakeAt: Millis | undefined;
  rxBytes: number;
  txBytes: number;
}

/** What is around a device. */
export interface DeviceWorldForTesting {
  now(): Millis;
  unixTime(): Millis;
  schedule(delay: Millis, run: () => void): void;
  newSession(): number;
  send(message: WireGuardMessage, to: Endpoint): void;
  deliver(inner: Inner & { kind: 'mesh' | 'host' }, from: IpAddress): void;
  onHandshake(): void;
  onActive(publicKey: Uint8Array): void;
  onDrop(reason: string): void;
}

export class DeviceForTesting {
  readonly key: string;
  readonly #address: IpAddress;
  readonly #world: DeviceWorldForTesting;
  readonly #peers = new Map<string, Peer>();
  /** Stands for the counters of transport messages and the timestamps of initiations: nothing is taken twice. */
  readonly #received = new WeakSet<WireGuardMessage>();
  /** Next hop, by destination. */
  readonly relayRoutes = new Map<string, string>();
  /** By peer. Nothing of a host's is cut here: tests send what fits. */
  readonly limits = new Map<string, PacketLimit>();
  isOff = false;
  /** Return false to drop what others send over this device, as a liar does. */
  isRelayed: (packet: Inner & { kind: 'relayed' }) => boolean = () => true;

  constructor(publicKey: Uint8Array, address: IpAddress, world: DeviceWorldForTesting) {
    this.key = toHex(publicKey);
    this.#address = address;
    this.#world = world;
  }

  configure(change: DeviceChange): void {
    for (const { publicKey, remove, updateOnly, endpoint, allowedIps, repeatInitiation } of change.peers ?? []) {
      const key = toHex(publicKey);
      const peer = this.#peers.get(key);
      if (remove === true) this.#peers.delete(key);
      else if (peer !== undefined) {
        peer.endpoint = endpoint ?? peer.endpoint;
        if (repeatInitiation === true) this.#repeatInitiation(peer);
        // Its address in the mesh stays; networks that it leads to are nothing to this device.
      } else if (updateOnly !== true && allowedIps !== undefined) {
        this.#peers.set(key, newPeer(publicKey, allowedIps[0].prefix.address, endpoint));
      }
    }
  }

  setRelayRoutes(changes: readonly RelayRouteChange[]): void {
    for (const { destination, via } of changes) {
      if (via === undefined) this.relayRoutes.delete(formatAddress(destination));
      else this.relayRoutes.set(formatAddress(destination), toHex(via));
    }
  }

  setPacketLimits(changes: readonly PacketLimitChange[]): void {
    for (const { publicKey, mtu, isProved } of changes) this.limits.set(toHex(publicKey), { mtu, isProved });
  }

  states(): PeerState[] {
    const unused = { presharedKey: undefined, persistentKeepalive: 0, allowedIps: [] };
    return Array.from(this.#peers.values(), ({ key, endpoint, lastHandshakeAt, rxBytes, txBytes }) => {
      return { publicKey: key, endpoint, lastHandshakeAt, rxBytes, txBytes, ...unused };
    });
  }

  send(inner: Inner & { kind: 'mesh' | 'host' }, to: IpAddress): void {
    for (const peer of this.#peers.values()) {
      if (!addressesEqual(peer.allowedIp, to)) continue;
      if (inner.kind === 'host') this.#reportActive(peer);
      return this.#sendInner(peer, inner);
    }
  }

  receive(message: WireGuardMessage, source: Endpoint): void {
    if (this.isOff || this.#received.has(message)) return;
    this.#received.add(message);
    if (message.kind === 'transport') return this.#receiveTransport(message, source);
    const peer = this.#peers.get(message.key);
    if (peer === undefined || message.to !== this.key) return;
    roam(peer, source);
    const { session } = message;
    if (message.kind === 'initiation') {
      peer.nextSession = session;
      return this.#sendTo(peer, { kind: 'response', key: this.key, to: message.key, session });
    }
    // The initiator's first message, a keepalive if need be, is what confirms the session.
    if (peer.queue.length === 0) peer.queue.push({ kind: 'keepalive' });
    this.#beginSession(peer, session, true);
  }

  #now(): Millis {
    return this.#world.now();
  }

  #reportActive(peer: Peer): void {
    if (after(peer.activeAt, ACTIVE_INTERVAL) > this.#now()) return;
    peer.activeAt = this.#now();
    this.#world.onActive(peer.key);
  }

  #sendInner(peer: Peer, inner: Inner): void {
    const now = this.#now();
    peer.sessions = peer.sessions.filter(({ createdAt }) => after(createdAt, REJECT_AFTER_TIME) > now);
    const isDeaf = peer.unansweredSince !== undefined && after(peer.unansweredSince, NEW_HANDSHAKE_AFTER) <= now;
    const session = peer.sessions.at(0);
    const isOld = session?.isInitiator === true && after(session.createdAt, REKEY_AFTER_TIME) <= now;
    if (session === undefined || isDeaf || isOld) {
      peer.queuedAt = now;
      this.#initiate(peer);
    }
    if (session === undefined) peer.queue.push(inner);
    else this.#sendTransport(peer, session, inner);
  }

  #initiate(peer: Peer): void {
    if (this.isOff || this.#peers.get(toHex(peer.key)) !== peer) return;
    if (after(peer.initiatedAt, REKEY_TIMEOUT) > this.#now() || peer.endpoint === undefined) return;
    peer.initiatedAt = this.#now();
    const session = this.#world.newSession();
    this.#sendTo(peer, { kind: 'initiation', key: this.key, to: toHex(peer.key), session });
    this.#world.schedule(REKEY_TIMEOUT, () => {
      const isWaiting = peer.queue.length > 0 || peer.unansweredSince !== undefined;
      if (isWaiting && after(peer.queuedAt, GIVE_UP_AFTER) > this.#now()) this.#initiate(peer);
    });
  }

  #repeatInitiation(peer: Peer): void {
    if (peer.queue.length === 0) return;
    peer.initiatedAt = millis(-Infinity);
    this.#initiate(peer);
  }

  #sendTransport(peer: Peer, session: Session, inner: Inner): void {
    if (inner.kind !== 'keepalive') peer.unansweredSince ??= this.#now();
    peer.sentAt = this.#now();
    peer.keepaliveDueAt = undefined;
    const message = { kind: 'transport', session: session.id, from: this.#address, inner } as const;
    peer.txBytes += lengthOfMessage(message);
    this.#sendTo(peer, message);
  }

  #sendTo({ endpoint, allowedIp }: Peer, message: WireGuardMessage): void {
    if (endpoint === undefined) return;
    if (!isMeshAddress(endpoint.address)) return this.#world.send(message, endpoint);
    const packet = { kind: 'relayed', source: this.#address, destination: allowedIp, hopLimit: HOP_LIMIT } as const;
    this.#relay({ ...packet, message }, undefined);
  }

  #relay(packet: Inner & { kind: 'relayed' }, from: Peer | undefined): void {
    const via = this.relayRoutes.get(formatAddress(packet.destination));
    const next = via === undefined ? undefined : this.#peers.get(via);
    if (next?.endpoint === undefined) return this.#world.onDrop('no-route');
    if (next === from) return this.#world.onDrop('split-horizon');
    if (packet.hopLimit === 0) return this.#world.onDrop('hop-limit');
    if (isMeshAddress(next.endpoint.address)) return this.#world.onDrop('wrapped-twice');
    this.#reportActive(next);
    this.#sendInner(next, packet);
  }

  #receiveTransport({ session, inner, from }: WireGuardMessage & { kind: 'transport' }, source: Endpoint): void {
    const peer = [...this.#peers.values()].find(
      ({ sessions, nextSession }) => nextSession === session || sessions.some(({ id }) => id === session),
    );
    if (peer === undefined) return;
    roam(peer, source);
    peer.unansweredSince = undefined;
    peer.rxBytes += lengthOfInner(inner) + 32;
    if (peer.nextSession === session) this.#beginSession(peer, session, false);
    if (inner.kind === 'keepalive') return;
    this.#keepaliveLater(peer);
    if (!addressesEqual(from, peer.allowedIp)) return;
    if (inner.kind !== 'relayed') return this.#world.deliver(inner, from);
    if (!addressesEqual(inner.destination, this.#address)) {
      if (!this.isRelayed(inner)) return;
      return this.#relay({ ...inner, hopLimit: inner.hopLimit - 1 }, peer);
    }
    this.receive(inner.message, endpointOf(inner.source, RELAY_PORT));
  }

  #keepaliveLater(peer: Peer): void {
    if (peer.keepaliveDueAt !== undefined) return;
    const dueAt = after(this.#now(), KEEPALIVE_TIMEOUT);
    peer.keepaliveDueAt = dueAt;
    this.#world.schedule(KEEPALIVE_TIMEOUT, () => {
      if (this.isOff || peer.keepaliveDueAt !== dueAt) return;
      peer.keepaliveDueAt = undefined;
      const session = peer.sessions.at(0);
      if (session !== undefined) this.#sendTransport(peer, session, { kind: 'keepalive' });
    });
  }

  #beginSession(peer: Peer, id: number, isInitiator: boolean): void {
    // Both may have begun at once: the other's session is kept for receiving.
    const other = peer.nextSession === undefined || peer.nextSession === id ? [] : [peer.nextSession];
    const now = this.#now();
    const session = { id, createdAt: now, isInitiator };
    const others = other.map((otherId) => ({ id: otherId, createdAt: now, isInitiator: false }));
    peer.sessions = [session, ...others, ...peer.sessions].slice(0, 3);
    peer.nextSession = undefined;
    peer.unansweredSince = undefined;
    peer.lastHandshakeAt = this.#world.unixTime();
    for (const inner of peer.queue.splice(0)) this.#sendTransport(peer, session, inner);
    this.#world.onHandshake();
  }
}

function roam(peer: Peer, source: Endpoint): void {
  const isDirect = peer.endpoint !== undefined && !isMeshAddress(peer.endpoint.address);
  if (!isDirect || !isMeshAddress(source.address)) peer.endpoint = source;
}

function newPeer(key: Uint8Array, allowedIp: IpAddress, endpoint: Endpoint | undefined): Peer {
  const never = millis(-Infinity);
  return {
    ...{
      key,
      allowedIp,
      endpoint,
      sessions: [],
      nextSession: undefined,
      queue: [],
      initiatedAt: never,
      queuedAt: never,
    },
    ...{ unansweredSince: undefined, sentAt: never, keepaliveDueAt: undefined, activeAt: never },
    ...{ lastHandshakeAt: undefined, rxBytes: 0, txBytes: 0 },
  };
}
