/**
 * A small world in virtual time for `MeshNode`s: links with latency, a routed network, and a model of WireGuard that
 * completes a handshake when both sides have each other's key and the initiator's endpoint leads to the responder. It
 * keeps what the nodes depend on: one initiation in five seconds, sessions that a restarted host has forgotten, a new
 * handshake when nothing came back for fifteen seconds, allowed IPs, roaming.
 */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import {
  addressesEqual,
  addressFromBytes,
  endpointOf,
  isLinkLocal,
  type Endpoint,
  type IpAddress,
} from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { DeviceChange, PeerChange, PeerState } from '../wireguard/configuration.ts';
import { toHex } from './hex.ts';
import type { NodeEvent, NodeInput, NodeOptions, NodeOutput } from './node-interface.ts';
import { MeshNode } from './node.ts';

export const PORT = 51820;
const UNIX_ORIGIN = 1_800_000_000_000;
const REKEY_TIMEOUT = seconds(5);
const GIVE_UP_AFTER = seconds(90);
const NEW_HANDSHAKE_AFTER = seconds(15);
const MAX_STEPS = 2_000_000;

/** What one datagram on the wire is. */
type Wire =
  | { readonly kind: 'mesh'; readonly datagram: Uint8Array }
  | { readonly kind: 'initiation' | 'response'; readonly key: string; readonly to: string; readonly session: number }
  | { readonly kind: 'transport'; readonly session: number; readonly from: IpAddress; readonly datagram: Uint8Array };

interface Peer {
  readonly key: Uint8Array;
  allowedIp: IpAddress;
  endpoint: Endpoint | undefined;
  /** The newest first, as many as WireGuard keeps. */
  sessions: number[];
  /** As responder: not used for sending before something has come in it. */
  nextSession: number | undefined;
  queue: Uint8Array[];
  initiatedAt: Millis;
  queuedAt: Millis;
  unansweredSince: Millis | undefined;
  lastHandshakeAt: Millis | undefined;
  rxBytes: number;
  txBytes: number;
}

interface Host {
  readonly name: string;
  readonly links: readonly number[];
  readonly addresses: readonly IpAddress[];
  readonly linkLocal: IpAddress;
  running: Running | undefined;
}

/** What a SIGKILL takes away. */
interface Running {
  readonly node: MeshNode;
  readonly key: string;
  readonly peers: Map<string, Peer>;
}

export interface HostOptions extends Partial<NodeOptions> {
  /** Numbers of links; the same number is the same link. */
  readonly links?: readonly number[];
  /** On the routed network, where everybody reaches everybody. */
  readonly addresses?: readonly IpAddress[];
}

export class NetworkForTesting {
  readonly events: { readonly host: string; readonly at: Millis; readonly event: NodeEvent }[] = [];
  readonly changes: { readonly host: string; readonly change: DeviceChange }[] = [];
  readonly storedSequences = new Map<string, number>();
  /** Every mesh datagram outside tunnels, by whom it was sent. */
  readonly sent: { readonly host: string; readonly to: Endpoint | undefined; readonly datagram: Uint8Array }[] = [];
  latency = millis(5);
  /** Return true to lose what would go from host to host. */
  isLost: (from: string, to: string) => boolean = () => false;
  now = millis(0);
  readonly #primitives: IdentityPrimitives;
  readonly #hosts = new Map<string, Host>();
  #calendar: { at: Millis; run: () => void }[] = [];
  #sessionCount = 0;

  constructor(primitives: IdentityPrimitives) {
    this.#primitives = primitives;
  }

  readonly unixTime = (): Millis => millis(UNIX_ORIGIN + this.now);

  /** Starts a host, or starts one again that was killed; what is not given is derived from its name. */
  start(name: string, options: HostOptions = {}): MeshNode {
    const { links = [1], addresses = [], ...nodeOptions } = options;
    const seed = this.#primitives.sha224(Uint8Array.from(name, (letter) => letter.charCodeAt(0)));
    const linkLocal = addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...seed.subarray(0, 8)));
    const wireGuardPublicKey = options.wireGuardPublicKey ?? Uint8Array.of(...seed, 1, 2, 3, 4);
    const node = new MeshNode({
      meshName: 'test',
      identitySeed: Uint8Array.of(...seed, 0, 0, 0, 0),
      hostName: name,
      storedSequence: this.storedSequences.get(name) ?? 0,
      trust: { mode: 'open' },
      bootstrap: [],
      primitives: this.#primitives,
      unixTime: this.unixTime,
      ...nodeOptions,
      wireGuardPublicKey,
    });
    const running = { node, key: toHex(wireGuardPublicKey), peers: new Map<string, Peer>() };
    const host: Host = { name, links, addresses, linkLocal, running };
    this.#hosts.set(name, host);
    this.handle(name, { kind: 'own-endpoints', endpoints: addresses.map((address) => endpointOf(address, PORT)) });
    this.handle(name, { kind: 'links', links: links.map((index) => ({ index, name: `eth${index}` })) });
    this.#reportPeers(host, running);
    return node;
  }

  /** As SIGKILL: nobody is told, nothing is kept but what was stored. */
  kill(name: string): void {
    this.#host(name).running = undefined;
  }

  node(name: string): MeshNode {
    return this.#running(this.#host(name)).node;
  }

  handle(name: string, input: NodeInput): void {
    const host = this.#host(name);
    this.#running(host).node.handle(input, this.now);
    this.#drain(host);
  }

  /** Sends what a test made up, as if `host` had sent it. */
  inject(host: string, datagram: Uint8Array, to: Endpoint): void {
    this.#transmit(this.#host(host), { kind: 'mesh', datagram }, to);
  }

  linkLocalEndpoint(name: string, link = 1): Endpoint {
    return endpointOf(this.#host(name).linkLocal, PORT, link);
  }

  runFor(length: Millis): void {
    const end = after(this.now, length);
    for (let step = 0; step < MAX_STEPS; step++) {
      const timeouts = [...this.#hosts.values()].map((host) => host.running?.node.nextTimeout() ?? Infinity);
      const next = Math.min(this.#calendar[0]?.at ?? Infinity, ...timeouts);
      if (next > end) {
        this.now = end;
        return;
      }
      this.now = millis(Math.max(this.now, next));
      this.#runDue();
    }
    throw new RangeError(`no rest after ${MAX_STEPS} steps, at ${this.now}`);
  }

  /** Which tunnels of `name` are up, by host name. */
  up(name: string): string[] {
    const { nodes } = this.node(name).status();
    return nodes.flatMap(({ state, hostName }) => (state === 'up' ? [hostName] : [])).sort();
  }

  configured(name: string): PeerChange[] {
    return this.changes.flatMap(({ host, change }) => (host === name ? [...(change.peers ?? [])] : []));
  }

  eventsOf(name: string): string[] {
    return this.events.flatMap(({ host, event }) => (host === name ? [`${event.kind} ${event.hostName}`] : []));
  }

  #runDue(): void {
    while (this.#calendar.length > 0 && this.#calendar[0].at <= this.now) this.#calendar.shift()?.run();
    for (const host of this.#hosts.values()) {
      const due = host.running?.node.nextTimeout();
      if (due === undefined || due > this.now) continue;
      host.running?.node.handleTimeout(this.now);
      this.#drain(host);
    }
  }

  #schedule(delay: Millis, run: () => void): void {
    const at = after(this.now, delay);
    const index = this.#calendar.findIndex((entry) => entry.at > at);
    this.#calendar.splice(index < 0 ? this.#calendar.length : index, 0, { at, run });
  }

  #drain(host: Host): void {
    const { node } = this.#running(host);
    for (let output = node.poll(); output !== undefined; output = node.poll()) this.#carryOut(host, output);
  }

  #carryOut(host: Host, output: NodeOutput): void {
    switch (output.kind) {
      case 'send':
        this.sent.push({ host: host.name, to: output.to, datagram: output.datagram });
        return this.#transmit(host, { kind: 'mesh', datagram: output.datagram }, output.to);
      case 'beacon':
        this.sent.push({ host: host.name, to: undefined, datagram: output.datagram });
        for (const other of this.#hosts.values()) {
          if (other === host || !other.links.includes(output.link)) continue;
          this.#deliver(host, other, { kind: 'mesh', datagram: output.datagram }, output.link);
        }
        return;
      case 'tunnel-send':
        return this.#sendThroughTunnel(host, output.datagram, output.to);
      case 'configure':
        this.changes.push({ host: host.name, change: output.change });
        return this.#configure(this.#running(host), output.change);
      case 'store-sequence':
        this.storedSequences.set(host.name, output.sequence);
        return;
      case 'event':
        this.events.push({ host: host.name, at: this.now, event: output.event });
    }
  }

  #transmit(from: Host, wire: Wire, to: Endpoint): void {
    if (to.port !== PORT) return;
    for (const host of this.#hosts.values()) {
      if (isLinkLocal(to.address)) {
        const isOnLink = host.links.includes(to.scopeId) && from.links.includes(to.scopeId);
        if (isOnLink && addressesEqual(host.linkLocal, to.address)) this.#deliver(from, host, wire, to.scopeId);
      } else if (from.addresses.length > 0 && host.addresses.some((address) => addressesEqual(address, to.address))) {
        this.#deliver(from, host, wire, 0);
      }
    }
  }

  #deliver(from: Host, to: Host, wire: Wire, link: number): void {
    const source = link === 0 ? endpointOf(from.addresses[0], PORT) : endpointOf(from.linkLocal, PORT, link);
    if (this.isLost(from.name, to.name)) return;
    this.#schedule(this.latency, () => {
      const host = this.#host(to.name);
      if (host.running === undefined) return;
      if (wire.kind === 'mesh') this.handle(host.name, { kind: 'datagram', datagram: wire.datagram, from: source });
      else this.#receive(host, host.running, wire, source);
    });
  }

  // WireGuard

  #configure({ peers }: Running, change: DeviceChange): void {
    for (const { publicKey, remove, updateOnly, endpoint, allowedIps } of change.peers ?? []) {
      const key = toHex(publicKey);
      if (remove === true) {
        peers.delete(key);
        continue;
      }
      const peer = peers.get(key);
      if (peer !== undefined) {
        peer.endpoint = endpoint ?? peer.endpoint;
        peer.allowedIp = allowedIps?.[0].prefix.address ?? peer.allowedIp;
      } else if (updateOnly !== true && allowedIps !== undefined) {
        peers.set(key, newPeer(publicKey, allowedIps[0].prefix.address, endpoint));
      }
    }
  }

  #sendThroughTunnel(host: Host, datagram: Uint8Array, to: IpAddress): void {
    const running = this.#running(host);
    const peer = [...running.peers.values()].find(({ allowedIp }) => addressesEqual(allowedIp, to));
    if (peer === undefined) return;
    const isDeaf = peer.unansweredSince !== undefined && after(peer.unansweredSince, NEW_HANDSHAKE_AFTER) <= this.now;
    if (peer.sessions.length === 0 || isDeaf) {
      peer.queuedAt = this.now;
      this.#initiate(host, running, peer);
    }
    if (peer.sessions.length === 0) peer.queue.push(datagram);
    else this.#sendTransport(host, peer, datagram, running.node.address);
  }

  #initiate(host: Host, running: Running, peer: Peer): void {
    if (after(peer.initiatedAt, REKEY_TIMEOUT) > this.now || peer.endpoint === undefined) return;
    if (running !== host.running || running.peers.get(toHex(peer.key)) !== peer) return;
    peer.initiatedAt = this.now;
    const session = ++this.#sessionCount;
    this.#transmit(host, { kind: 'initiation', key: running.key, to: toHex(peer.key), session }, peer.endpoint);
    this.#schedule(REKEY_TIMEOUT, () => {
      const isWaiting = peer.queue.length > 0 || peer.unansweredSince !== undefined;
      if (isWaiting && after(peer.queuedAt, GIVE_UP_AFTER) > this.now) this.#initiate(host, running, peer);
    });
  }

  #sendTransport(host: Host, peer: Peer, datagram: Uint8Array, from: IpAddress): void {
    if (datagram.length > 0) peer.unansweredSince ??= this.now;
    peer.txBytes += datagram.length;
    if (peer.endpoint === undefined) return;
    this.#transmit(host, { kind: 'transport', session: peer.sessions[0], from, datagram }, peer.endpoint);
  }

  #receive(host: Host, running: Running, wire: Exclude<Wire, { kind: 'mesh' }>, source: Endpoint): void {
    if (wire.kind === 'transport') return this.#receiveTransport(host, running, wire, source);
    const peer = running.peers.get(wire.key);
    if (peer === undefined || wire.to !== running.key) return;
    peer.endpoint = source;
    if (wire.kind === 'initiation') {
      peer.nextSession = wire.session;
      return this.#transmit(host, { kind: 'response', key: running.key, to: wire.key, session: wire.session }, source);
    }
    // The initiator's first message, a keepalive if need be, is what confirms the session.
    if (peer.queue.length === 0) peer.queue.push(new Uint8Array(0));
    this.#beginSession(host, running, peer, wire.session);
  }

  #receiveTransport(host: Host, running: Running, wire: Wire & { kind: 'transport' }, source: Endpoint): void {
    const { session, datagram, from } = wire;
    const peers = [...running.peers.values()];
    const peer = peers.find(({ sessions, nextSession }) => nextSession === session || sessions.includes(session));
    if (peer === undefined) return;
    peer.endpoint = source;
    peer.unansweredSince = undefined;
    peer.rxBytes += datagram.length;
    if (peer.nextSession === session) this.#beginSession(host, running, peer, session);
    if (datagram.length === 0 || !addressesEqual(from, peer.allowedIp)) return;
    this.handle(host.name, { kind: 'tunnel-datagram', datagram, from });
  }

  #beginSession(host: Host, running: Running, peer: Peer, session: number): void {
    // Both may have begun at once: the other's session is kept for receiving.
    const others = [peer.nextSession ?? session, ...peer.sessions].filter((other) => other !== session);
    peer.sessions = [session, ...others].slice(0, 3);
    peer.nextSession = undefined;
    peer.unansweredSince = undefined;
    peer.lastHandshakeAt = this.unixTime();
    for (const datagram of peer.queue.splice(0)) this.#sendTransport(host, peer, datagram, running.node.address);
  }

  /** Once a second, for as long as this life of the host lasts. */
  #reportPeers(host: Host, running: Running): void {
    if (this.#hosts.get(host.name)?.running !== running) return;
    const peers = Array.from(running.peers.values(), peerState);
    this.handle(host.name, { kind: 'peer-states', peers });
    this.#schedule(seconds(1), () => this.#reportPeers(host, running));
  }

  #host(name: string): Host {
    const host = this.#hosts.get(name);
    if (host === undefined) throw new RangeError(`no host ${name}`);
    return host;
  }

  #running(host: Host): Running {
    if (host.running === undefined) throw new RangeError(`${host.name} is not running`);
    return host.running;
  }
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
    ...{ unansweredSince: undefined, lastHandshakeAt: undefined, rxBytes: 0, txBytes: 0 },
  };
}

function peerState({ key, endpoint, lastHandshakeAt, rxBytes, txBytes }: Peer): PeerState {
  const unused = { presharedKey: undefined, persistentKeepalive: 0, allowedIps: [] };
  return { publicKey: key, endpoint, lastHandshakeAt, rxBytes, txBytes, ...unused };
}
