/**
 * A small world in virtual time for `MeshNode`s: links with latency, a routed network, and a device for each node that
 * reports as the daemon's does. It counts what every host sends, and can watch the relay tables for loops.
 */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import {
  addressesEqual,
  addressFromBytes,
  endpointOf,
  formatAddress,
  formatPrefix,
  isLinkLocal,
  type Endpoint,
  type IpAddress,
} from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { DeviceChange, PeerChange } from '../wireguard/configuration.ts';
import { DeviceForTesting, lengthOfMessage, type WireGuardMessage } from './device-for-testing.ts';
import type { Nat } from './nat-for-testing.ts';
import type { NodeEvent, NodeInput, NodeOptions, NodeOutput } from './node-interface.ts';
import { MeshNode } from './node.ts';
import type { Notice } from './silence/index.ts';
import { provedKey } from './wireguard-key-for-testing.ts';

export const PORT = 51820;
const UNIX_ORIGIN = 1_800_000_000_000;
const MAX_STEPS = 2_000_000;
/** As the daemon asks its device. */
const POLL_INTERVAL = seconds(15);
const IP_UDP_HEADERS = 48;

/** What one datagram on the wire is. */
export type Wire = { readonly kind: 'mesh'; readonly datagram: Uint8Array } | WireGuardMessage;

/** A datagram as somebody on its way sees it. */
export interface Sighting {
  /** The host that sent it, whatever its source says. */
  readonly host: string;
  readonly wire: Wire;
  readonly from: Endpoint;
  /** `undefined`: to the beacon group. */
  readonly to: Endpoint | undefined;
  /** 0: the routed network. */
  readonly link: number;
}

interface Host {
  readonly name: string;
  readonly links: readonly number[];
  readonly addresses: readonly IpAddress[];
  readonly linkLocal: IpAddress;
  readonly nat: Nat | undefined;
  readonly accessDelay: Millis;
  /** What a machine that runs nothing of ours does with what it gets. */
  readonly receive?: (wire: Wire, from: Endpoint) => void;
  running: Running | undefined;
}

/** What a SIGKILL takes away. */
interface Running {
  readonly node: MeshNode;
  readonly device: DeviceForTesting;
  /** When the node wants to be called next, as it said last. */
  dueAt: Millis;
}

export interface HostOptions extends Omit<Partial<NodeOptions>, 'wireGuardPublicKey' | 'wireGuardKeyProof'> {
  readonly wireGuardPrivateKey?: Uint8Array;
  /** Numbers of links; the same number is the same link. */
  readonly links?: readonly number[];
  /** On the routed network, where everybody reaches everybody. */
  readonly addresses?: readonly IpAddress[];
  /** Between its addresses and the routed network. */
  readonly nat?: Nat;
  /** Between the host and its NAT, or where one would be. */
  readonly accessDelay?: Millis;
}

export class NetworkForTesting {
  readonly events: { readonly host: string; readonly at: Millis; readonly event: NodeEvent }[] = [];
  readonly notices: { readonly host: string; readonly at: Millis; readonly notice: Notice }[] = [];
  readonly changes: { readonly host: string; readonly change: DeviceChange }[] = [];
  readonly storedSequences = new Map<string, number>();
  readonly storedSeqnos = new Map<string, number>();
  readonly bootstrapStates: string[] = [];
  readonly storedMemories = new Map<string, Uint8Array>();
  /** Every mesh datagram outside tunnels, by whom it was sent. */
  readonly sent: { readonly host: string; readonly to: Endpoint | undefined; readonly datagram: Uint8Array }[] = [];
  latency = millis(5);
  /** Of single links, by number, where it is another one. */
  readonly latencyOfLink = new Map<number, Millis>();
  /** Whether hosts that are started again know what they stored of others. */
  remembers = false;
  /** What applications were sent, by whom it was received. */
  readonly delivered: { readonly host: string; readonly at: Millis; readonly datagram: Uint8Array }[] = [];
  /** Of IP packets with WireGuard's messages and the mesh's own. */
  readonly sentBytes = new Map<string, number>();
  /** How often the clock has woken a node. */
  readonly wakeUps = new Map<string, number>();
  readonly deviceDrops: string[] = [];
  /** By host, the networks of others that its kernel routes into the mesh. */
  readonly importRoutes = new Map<string, Set<string>>();
  /** Called after each change of a relay table. */
  onRelayRoutes: () => void = () => {};
  /** The longest packet of the underlay that gets from host to host; longer ones vanish. */
  longest: (from: string, to: string, link: number) => number = () => Infinity;
  /** Return true to lose what would go from host to host. */
  isLost: (from: string, to: string, link: number) => boolean = () => false;
  /** Return true to keep a host's own beacons from it, as its firewall would. */
  isDeaf: (host: string) => boolean = () => false;
  /** Called for whatever is sent, before it may be lost. */
  onSent: (sighting: Sighting) => void = () => {};
  /** Return true to keep from the node what came to its host inside a tunnel. */
  onTunnelDatagram: (host: string, datagram: Uint8Array, from: IpAddress) => boolean = () => false;
  now = millis(0);
  readonly #primitives: IdentityPrimitives;
  readonly #hosts = new Map<string, Host>();
  readonly #hostsByAddress = new Map<string, Host>();
  readonly #natsByAddress = new Map<string, Nat>();
  #calendar: { at: Millis; run: () => void }[] = [];
  #sessionCount = 0;

  constructor(primitives: IdentityPrimitives) {
    let state = 1;
    // Chance that is the same in each run: a linear congruential generator (Numerical Recipes).
    const randomByte = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
    this.#primitives = { ...primitives, randomBytes: (length) => Uint8Array.from({ length }, randomByte) };
  }

  readonly unixTime = (): Millis => millis(UNIX_ORIGIN + this.now);

  /** Starts a host, or starts one again that was killed; what is not given is derived from its name. */
  start(name: string, options: HostOptions = {}): MeshNode {
    const { links = [1], addresses = [], nat, accessDelay = millis(0), wireGuardPrivateKey, ...nodeOptions } = options;
    const seed = this.#primitives.sha224(Uint8Array.from(name, (letter) => letter.charCodeAt(0)));
    const identitySeed = options.identitySeed ?? Uint8Array.of(...seed, 0, 0, 0, 0);
    const key = provedKey(
      wireGuardPrivateKey ?? Uint8Array.of(...seed, 1, 2, 3, 4),
      this.#primitives.identityPublicKey(identitySeed),
      options.meshName,
    );
    const node = new MeshNode({
      meshName: 'test',
      identitySeed,
      hostName: name,
      storedSequence: this.storedSequences.get(name) ?? 0,
      storedSeqno: this.storedSeqnos.get(name),
      memory: this.remembers ? this.storedMemories.get(name) : undefined,
      trust: { mode: 'open' },
      bootstrap: [],
      mayRelay: true,
      interfaceMtu: 1420,
      networks: [],
      imports: [],
      primitives: this.#primitives,
      unixTime: this.unixTime,
      ...nodeOptions,
      ...key,
    });
    const linkLocal = linkLocalFrom(seed);
    const host: Host = { name, links, addresses, linkLocal, nat, accessDelay, running: undefined };
    const running = { node, device: this.#newDevice(host, node, key.wireGuardPublicKey), dueAt: millis(Infinity) };
    host.running = running;
    this.#add(host);
    this.handle(name, { kind: 'own-endpoints', endpoints: addresses.map((address) => endpointOf(address, PORT)) });
    const own = links.map((index) => ({ index, name: `eth${index}`, addresses: [host.linkLocal] }));
    this.handle(name, { kind: 'links', links: own });
    this.#pollDevice(host, running);
    return node;
  }

  /** Puts a machine there that runs nothing of ours. */
  attach(name: string, options: Pick<HostOptions, 'links' | 'addresses'>, receive: NonNullable<Host['receive']>): void {
    const { links = [1], addresses = [] } = options;
    const seed = this.#primitives.sha224(Uint8Array.from(name, (letter) => letter.charCodeAt(0)));
    const linkLocal = linkLocalFrom(seed);
    const plain = { nat: undefined, accessDelay: millis(0), running: undefined };
    this.#add({ name, links, addresses, linkLocal, receive, ...plain });
  }

  /** As SIGKILL: nobody is told, nothing is kept but what was stored. */
  kill(name: string): void {
    const host = this.#host(name);
    this.#running(host).device.isOff = true;
    host.running = undefined;
  }

  node(name: string): MeshNode {
    return this.#running(this.#host(name)).node;
  }

  isRunning(name: string): boolean {
    return this.#hosts.get(name)?.running !== undefined;
  }

  device(name: string): DeviceForTesting {
    return this.#running(this.#host(name)).device;
  }

  /** Sends a packet of an application. */
  sendData(from: string, to: string, datagram = new Uint8Array(100)): void {
    this.device(from).send({ kind: 'host', datagram }, this.node(to).address);
  }

  /** The host that has this WireGuard key. */
  hostWithKey(key: string): string | undefined {
    return [...this.#hosts.values()].find(({ running }) => running?.device.key === key)?.name;
  }

  handle(name: string, input: NodeInput): void {
    const host = this.#host(name);
    this.#running(host).node.handle(input, this.now);
    this.#drain(host);
  }

  /** Sends what a test made up, as if `host` had sent it; `as`: with a source that need not be its own. */
  inject(host: string, what: Uint8Array | WireGuardMessage, to: Endpoint, as?: Endpoint): void {
    const wire: Wire = what instanceof Uint8Array ? { kind: 'mesh', datagram: what } : what;
    this.#transmit(this.#host(host), wire, to, as);
  }

  schedule(delay: Millis, run: () => void): void {
    const at = after(this.now, delay);
    let [low, high] = [0, this.#calendar.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#calendar[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    this.#calendar.splice(low, 0, { at, run });
  }

  linkLocalEndpoint(name: string, link = 1): Endpoint {
    return endpointOf(this.#host(name).linkLocal, PORT, link);
  }

  runFor(length: Millis): void {
    const end = after(this.now, length);
    for (let step = 0; step < MAX_STEPS; step++) {
      let next: number = this.#calendar[0]?.at ?? Infinity;
      for (const { running } of this.#hosts.values()) next = Math.min(next, running?.dueAt ?? Infinity);
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
      const { running } = host;
      if (running === undefined || running.dueAt > this.now) continue;
      this.wakeUps.set(host.name, (this.wakeUps.get(host.name) ?? 0) + 1);
      running.node.handleTimeout(this.now);
      this.#drain(host);
    }
  }

  #add(host: Host): void {
    const { name, addresses, linkLocal, nat } = host;
    this.#hosts.set(name, host);
    const outside = nat === undefined ? addresses : [];
    for (const address of [linkLocal, ...outside]) this.#hostsByAddress.set(formatAddress(address), host);
    if (nat !== undefined) this.#natsByAddress.set(formatAddress(nat.address), nat);
  }

  #drain(host: Host): void {
    const running = this.#running(host);
    const { node } = running;
    for (let output = node.poll(); output !== undefined; output = node.poll()) {
      this.#carryOut(host, running.device, output);
    }
    running.dueAt = node.nextTimeout() ?? millis(Infinity);
  }

  #carryOut(host: Host, device: DeviceForTesting, output: NodeOutput): void {
    switch (output.kind) {
      case 'send':
        this.sent.push({ host: host.name, to: output.to, datagram: output.datagram });
        return this.#transmit(host, { kind: 'mesh', datagram: output.datagram }, output.to);
      case 'beacon':
        this.sent.push({ host: host.name, to: undefined, datagram: output.datagram });
        this.#count(host, output.datagram.length);
        return this.#multicast(host, { kind: 'mesh', datagram: output.datagram }, output.link);
      case 'tunnel-send':
        return device.send({ kind: 'mesh', datagram: output.datagram }, output.to);
      case 'configure':
        this.changes.push({ host: host.name, change: output.change });
        return device.configure(output.change);
      case 'ask-device':
        return this.#reportPeersSoon(host);
      case 'relay-routes':
        device.setRelayRoutes(output.changes);
        return this.onRelayRoutes();
      case 'packet-limits':
        return device.setPacketLimits(output.changes);
      case 'import-route': {
        const routes = this.importRoutes.get(host.name) ?? new Set();
        if (output.isWanted) routes.add(formatPrefix(output.prefix));
        else routes.delete(formatPrefix(output.prefix));
        this.importRoutes.set(host.name, routes);
        return;
      }
      case 'store-sequence':
        this.storedSequences.set(host.name, output.sequence);
        return;
      case 'store-seqno':
        this.storedSeqnos.set(host.name, output.seqno);
        return;
      case 'bootstrap-state':
        this.bootstrapStates.push(`${host.name} ${formatAddress(output.endpoint.address)} ${output.state}`);
        return;
      case 'store-memory':
        this.storedMemories.set(host.name, output.memory);
        return;
      case 'event':
        this.events.push({ host: host.name, at: this.now, event: output.event });
        return;
      case 'notice':
        this.notices.push({ host: host.name, at: this.now, notice: output.notice });
    }
  }

  #count(host: Host, payloadBytes: number): void {
    this.sentBytes.set(host.name, (this.sentBytes.get(host.name) ?? 0) + payloadBytes + IP_UDP_HEADERS);
  }

  #transmit(from: Host, wire: Wire, to: Endpoint, as?: Endpoint): void {
    this.#count(from, wire.kind === 'mesh' ? wire.datagram.length : lengthOfMessage(wire));
    if (!isLinkLocal(to.address)) return this.#transmitRouted(from, wire, to, as);
    if (!from.links.includes(to.scopeId)) return;
    const source = as ?? endpointOf(from.linkLocal, PORT, to.scopeId);
    this.onSent({ host: from.name, wire, from: source, to, link: to.scopeId });
    const host = this.#hostsByAddress.get(formatAddress(to.address));
    if (to.port !== PORT || host === undefined) return;
    if (host.links.includes(to.scopeId)) this.#deliver(from, host, wire, source);
  }

  #multicast(from: Host, wire: Wire, link: number): void {
    const source = endpointOf(from.linkLocal, PORT, link);
    this.onSent({ host: from.name, wire, from: source, to: undefined, link });
    // The kernel gives it to the sender as well.
    if (!this.isDeaf(from.name)) this.schedule(millis(0), () => this.#receive(from, wire, source));
    for (const other of this.#hosts.values()) {
      if (other !== from && other.links.includes(link)) this.#deliver(from, other, wire, source);
    }
  }

  #transmitRouted(from: Host, wire: Wire, to: Endpoint, as?: Endpoint): void {
    if (from.addresses.length === 0) return;
    // What a packet is called outside, and for whom it is, the NATs say when it passes them.
    this.#soon(from.accessDelay, () => {
      const inside = endpointOf(from.addresses[0], PORT);
      const source = as ?? (from.nat === undefined ? inside : from.nat.translateOut(inside, to, this.now));
      if (source === undefined) return;
      this.onSent({ host: from.name, wire, from: source, to, link: 0 });
      this.schedule(this.latency, () => {
        const host = this.#hostAt(to, source);
        if (host === undefined || this.isLost(from.name, host.name, 0)) return;
        this.#soon(host.accessDelay, () => this.#receive(host, wire, source));
      });
    });
  }

  #soon(delay: Millis, run: () => void): void {
    if (delay === 0) run();
    else this.schedule(delay, run);
  }

  #hostAt(to: Endpoint, source: Endpoint): Host | undefined {
    const host = this.#hostsByAddress.get(formatAddress(to.address));
    if (host !== undefined) return to.port === PORT ? host : undefined;
    const nat = this.#natsByAddress.get(formatAddress(to.address));
    const inside = nat?.translateIn(to, source, this.now)?.address;
    if (inside === undefined) return undefined;
    const behind = [...this.#hosts.values()].filter((other) => other.nat === nat);
    return behind.find(({ addresses }) => addresses.some((address) => addressesEqual(address, inside)));
  }

  #deliver(from: Host, to: Host, wire: Wire, source: Endpoint): void {
    if (this.isLost(from.name, to.name, source.scopeId)) return;
    const length = IP_UDP_HEADERS + (wire.kind === 'mesh' ? wire.datagram.length : lengthOfMessage(wire));
    if (length > this.longest(from.name, to.name, source.scopeId)) return;
    const latency = this.latencyOfLink.get(source.scopeId) ?? this.latency;
    this.schedule(latency, () => this.#receive(this.#host(to.name), wire, source));
  }

  #receive(host: Host, wire: Wire, source: Endpoint): void {
    host.receive?.(wire, source);
    if (host.running === undefined) return;
    if (wire.kind === 'mesh') this.handle(host.name, { kind: 'datagram', datagram: wire.datagram, from: source });
    else host.running.device.receive(wire, source);
  }

  /** Now, and at intervals for as long as this life of the host lasts. */
  #pollDevice(host: Host, running: Running): void {
    if (this.#hosts.get(host.name)?.running !== running) return;
    this.#reportPeers(host);
    this.schedule(POLL_INTERVAL, () => this.#pollDevice(host, running));
  }

  #reportPeersSoon(host: Host): void {
    const { running } = host;
    this.schedule(millis(0), () => {
      if (this.#hosts.get(host.name)?.running === running) this.#reportPeers(host);
    });
  }

  #reportPeers({ name }: Host): void {
    this.handle(name, { kind: 'peer-states', peers: this.device(name).states() });
  }

  #newDevice(host: Host, node: MeshNode, publicKey: Uint8Array): DeviceForTesting {
    const { name } = host;
    const soon = (run: () => void) =>
      this.schedule(millis(0), () => {
        if (this.#hosts.get(name)?.running?.node === node) run();
      });
    return new DeviceForTesting(publicKey, node.address, {
      now: () => this.now,
      unixTime: this.unixTime,
      schedule: (delay, run) => this.schedule(delay, run),
      newSession: () => ++this.#sessionCount,
      send: (message, to) => this.#transmit(host, message, to),
      deliver: ({ kind, datagram }, from) => {
        if (kind === 'host') this.delivered.push({ host: name, at: this.now, datagram });
        else if (!this.onTunnelDatagram(name, datagram, from)) {
          this.handle(name, { kind: 'tunnel-datagram', datagram, from });
        }
      },
      onHandshake: () => soon(() => this.#reportPeers(host)),
      onActive: (key) =>
        soon(() => {
          this.handle(name, { kind: 'peer-active', publicKey: key });
          this.#reportPeers(host);
        }),
      onDrop: (reason) => void this.deviceDrops.push(`${name} ${reason}`),
    });
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

function linkLocalFrom(seed: Uint8Array): IpAddress {
  return addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...seed.subarray(0, 8)));
}
