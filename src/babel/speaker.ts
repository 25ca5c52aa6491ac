/**
 * A Babel speaker (RFC 8966, with the delay metric of RFC 9616 and v4-via-v6 of RFC 9229): sees packets and the time, and
 * says what to send and which routes to follow. Over IPv6 only. No authentication (RFC 8967, RFC 8968): inside a tunnel
 * WireGuard has done that. No source-specific routes (RFC 9079).
 *
 * One call of a method that takes `now`, then `poll` until `undefined`, then `nextTimeout`.
 */
import { addressesEqual, formatAddress, isLinkLocal, type IpAddress, type Prefix } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import { INFINITE, SOURCE_GC_TIME } from './constants.ts';
import { Interface } from './interfaces.ts';
import type { InterfaceOptions, Link } from './link.ts';
import type { Neighbour } from './neighbours.ts';
import { readPacket } from './packet-reader.ts';
import type { RouterId } from './router-id.ts';
import { RouteTable } from './routes.ts';
import { Routing } from './routing.ts';
import { Sender } from './sender.ts';
import { SourceTable } from './sources.ts';
import {
  DEFAULT_LIMITS,
  type DropReason,
  type Limits,
  type NeighbourView,
  type RouteFilter,
  type RouteView,
  type SpeakerOptions,
  type SpeakerOutput,
} from './speaker-interface.ts';
import type { Hello, Tlv } from './tlv.ts';

/** Between two neighbours that give way to others: who is new has time enough for its second Hello and its IHU. */
const EVICTION_INTERVAL = millis(100);

export class Speaker {
  readonly #chance: () => number;
  readonly #limits: Limits;
  readonly #interfaces = new Map<string, Interface>();
  readonly #sender: Sender;
  readonly #routing: Routing;
  readonly #output: SpeakerOutput[] = [];
  readonly #drops = new Map<DropReason, number>();
  #isStopped = false;

  constructor(options: SpeakerOptions) {
    const { routerId, seqno, chance, filter = () => true } = options;
    this.#chance = chance;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    const sources = new SourceTable(this.#limits.sources, SOURCE_GC_TIME);
    const table = new RouteTable(sources, this.#limits.routesPerNeighbour);
    const output = (wish: SpeakerOutput) => void this.#output.push(wish);
    const drop = (reason: DropReason) => this.#drop(reason);
    const advertisementOf = (key: string) => this.#routing.advertisementOf(key);
    const { pendingAcknowledgments: maxAcknowledgments, pendingRequests: maxRequests } = this.#limits;
    this.#sender = new Sender({
      chance,
      interfaces: this.#interfaces,
      sources,
      maxAcknowledgments,
      advertisementOf,
      output,
      drop,
    });
    const context = { routerId, seqno, maxRequests, interfaces: this.#interfaces, table, sources, output, drop };
    this.#routing = new Routing({ ...context, sender: this.#sender }, filter);
  }

  /** What was ignored, and how often. */
  get drops(): ReadonlyMap<DropReason, number> {
    return this.#drops;
  }

  /** Whether `stop` was called and nobody is left to tell, or we have told often enough. */
  get hasLeft(): boolean {
    return this.#isStopped && this.#sender.isIdle && this.nextTimeout() === undefined;
  }

  /** That of our announcements. */
  get seqno(): number {
    return this.#routing.seqno;
  }

  // What the host says

  /** Begins to speak on an interface; it replaces one of the same id. */
  addInterface(options: InterfaceOptions, now: Millis): void {
    this.removeInterface(options.id, now);
    this.#interfaces.set(options.id, new Interface(options, this.#randomSeqno(), now));
  }

  removeInterface(id: string, now: Millis): void {
    const owner = this.#interfaces.get(id);
    if (owner === undefined) return;
    for (const neighbour of owner.neighbours.values()) this.#forget(neighbour, now);
    this.#interfaces.delete(id);
  }

  /** Adds a neighbour of an interface without multicast. `extraCost`: on top of what the link costs by itself. */
  addNeighbour(id: string, address: IpAddress, now: Millis, extraCost = 0): void {
    const owner = this.#interfaces.get(id);
    if (owner === undefined) return;
    const neighbour = owner.neighbour(address) ?? owner.createNeighbour(address, this.#randomSeqno());
    neighbour.setExtraCost(extraCost);
    this.#review(neighbour, now);
    owner.hurry(now, 0);
  }

  removeNeighbour(id: string, address: IpAddress, now: Millis): void {
    const neighbour = this.#interfaces.get(id)?.neighbour(address);
    if (neighbour !== undefined) this.#remove(neighbour, now);
  }

  /** The host knows that the neighbour cannot be reached: a kernel error, or probes without answers. */
  neighbourLost(id: string, address: IpAddress, now: Millis): void {
    const neighbour = this.#interfaces.get(id)?.neighbour(address);
    if (neighbour !== undefined) this.#lose(neighbour, now);
  }

  /** A round-trip time measured by other means. */
  handleRtt(id: string, address: IpAddress, rtt: Millis, now: Millis): void {
    const neighbour = this.#interfaces.get(id)?.neighbour(address);
    if (neighbour === undefined) return;
    neighbour.rtt.sample(rtt);
    this.#review(neighbour, now);
  }

  /** Announces a prefix as ours, or announces it with another metric. */
  announce(prefix: Prefix, metric: number, now: Millis): void {
    this.#routing.announce(prefix, metric, now);
  }

  withdraw(prefix: Prefix, now: Millis): void {
    this.#routing.withdraw(prefix, now);
  }

  /** Changes which routes are believed, those known already among them. */
  setFilter(filter: RouteFilter, now: Millis): void {
    this.#routing.setFilter(filter, now);
  }

  /** The filter judges otherwise of `prefix` than before. */
  review(prefix: Prefix, now: Millis): void {
    this.#routing.review(prefix, now);
  }

  /**
   * Whoever announces `prefix` with `routerId` has not gone beyond `seqno`, as is known from elsewhere. Feasibility that
   * was measured by a newer one is measured anew, where RFC 8966 would wait for the source to be forgotten.
   */
  limitSeqno(prefix: Prefix, routerId: RouterId, seqno: number, now: Millis): void {
    this.#routing.limitSeqno(prefix, routerId, seqno, now);
  }

  /** Asks the neighbours for routes to `prefix`, or one of them: what the filter refused it may believe by now. */
  request(prefix: Prefix, now: Millis, from?: IpAddress): void {
    for (const owner of this.#interfaces.values()) {
      const channels = from === undefined ? owner.channels() : [owner.neighbour(from)?.channel];
      for (const channel of channels) {
        if (channel !== undefined) this.#sender.send(channel, { kind: 'route-request', prefix }, 'urgent', now);
      }
    }
  }

  /** Tells all neighbours that we go; then only their acknowledgements count. `hasLeft` when that is done. */
  stop(now: Millis): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    for (const { reported, hold, prefix } of this.#routing.destinations()) {
      if (reported !== undefined || hold !== undefined) this.#output.push({ kind: 'route-removed', prefix });
    }
    this.#sender.sendFarewells(now);
  }

  // What neighbours and the clock say

  /**
   * Takes the payload of a datagram that came from port 6696 of `from`. Keeps no part of `bytes`. Whatever is in it,
   * nothing is thrown.
   */
  handlePacket(id: string, from: IpAddress, bytes: Uint8Array, now: Millis): void {
    const owner = this.#interfaces.get(id);
    if (owner === undefined) return this.#drop('unknown-interface');
    if (!isLinkLocal(from)) return this.#drop('source-not-link-local');
    // Multicast comes back where it is looped.
    if (addressesEqual(from, owner.link.address)) return;
    const known = owner.neighbour(from);
    if (known?.admits(now) === false) return this.#drop('rate-limited');
    const packet = readPacket(bytes, from);
    if (packet === undefined) return this.#drop('packet-malformed');
    for (let i = 0; i < packet.malformed; i++) this.#drop('tlv-malformed');
    const hello = packet.tlvs.find((tlv) => tlv.kind === 'hello');
    const neighbour = known ?? this.#meet(owner, from, hello, now);
    if (neighbour === undefined) return;
    if (hello !== undefined && !this.#isStopped) this.#handleHello(neighbour, hello, packet.tlvs, now);
    for (const tlv of packet.tlvs) this.#handleTlv(neighbour, tlv, now);
  }

  handleTimeout(now: Millis): void {
    if (!this.#isStopped) {
      for (const owner of this.#interfaces.values()) this.#handleInterfaceTimeout(owner, now);
      this.#routing.handleTimeout(now);
    }
    this.#routing.handleUnconfirmed(this.#sender.handleTimeout(now));
  }

  poll(): SpeakerOutput | undefined {
    return this.#output.shift();
  }

  /** When `handleTimeout` is wanted next. */
  nextTimeout(): Millis | undefined {
    let next = Math.min(
      this.#sender.nextTimeout() ?? Infinity,
      this.#isStopped ? Infinity : this.#routing.nextTimeout(),
    );
    for (const owner of this.#interfaces.values()) {
      next = Math.min(next, this.#isStopped ? owner.nextFlush() : owner.nextTimeout());
    }
    return next === Infinity ? undefined : millis(next);
  }

  neighbours(): NeighbourView[] {
    return [...this.#interfaces.values()].flatMap((owner) =>
      Array.from(owner.neighbours.values(), ({ address, rxcost, txcost, cost, rtt, prefixKeys }) => ({
        ...{ interface: owner.link.id, address, rxcost, txcost, cost },
        ...{ rtt: rtt.rtt, routeCount: prefixKeys.size },
      })),
    );
  }

  /** All routes, selected or not, or those to `prefix`. */
  routes(prefix?: Prefix): RouteView[] {
    return this.#routing.routes(prefix);
  }

  #handleInterfaceTimeout(owner: Interface, now: Millis): void {
    for (const neighbour of [...owner.neighbours.values()]) {
      if (neighbour.dumpWantedAt <= now) this.#routing.dump(neighbour, now);
      if (!neighbour.handleTimeout(now)) continue;
      if (neighbour.isSilent) this.#lose(neighbour, now);
      else this.#review(neighbour, now);
    }
    if (owner.updateAt <= now) this.#announceEverything(owner, now);
    if (owner.helloAt <= now) this.#sender.sendHello(owner, now);
  }

  #meet(owner: Interface, from: IpAddress, hello: Hello | undefined, now: Millis): Neighbour | undefined {
    if (hello === undefined || owner.isUnicast || this.#isStopped) {
      this.#drop('unknown-neighbour');
      return undefined;
    }
    if (owner.neighbours.size >= this.#limits.neighboursPerInterface && !this.#makeRoom(owner, now)) {
      this.#drop('too-many-neighbours');
      return undefined;
    }
    return owner.createNeighbour(from, this.#randomSeqno());
  }

  /** Anybody on a link can say Hello under any number of addresses. @returns whether there is room for one more now */
  #makeRoom(owner: Interface, now: Millis): boolean {
    const expendable = owner.evictAt > now ? undefined : owner.expendable();
    if (expendable === undefined) return false;
    owner.evictAt = after(now, EVICTION_INTERVAL);
    this.#drop('neighbour-evicted');
    this.#remove(expendable, now);
    return true;
  }

  #handleHello(neighbour: Neighbour, hello: Hello, tlvs: readonly Tlv[], now: Millis): void {
    const { link } = neighbour;
    const isNew = neighbour.isSilent;
    const isSame = neighbour.handleHello(hello, now);
    if (!isSame) {
      this.#forget(neighbour, now);
      neighbour.handleHello(hello, now);
    }
    if (isNew || !isSame) this.#hurry(neighbour, now);
    if (hello.timestamp === undefined) return;
    const ihu = tlvs.find((tlv) => tlv.kind === 'ihu' && tlv.timestamps !== undefined && isFor(tlv.address, link));
    neighbour.rtt.handlePacket(hello.timestamp, ihu?.kind === 'ihu' ? ihu.timestamps : undefined, now);
  }

  #handleTlv(neighbour: Neighbour, tlv: Tlv, now: Millis): void {
    if (tlv.kind === 'acknowledgment') {
      return this.#routing.handleDelivered(this.#sender.handleAcknowledgment(neighbour, tlv.opaque), now);
    }
    if (this.#isStopped) return;
    switch (tlv.kind) {
      case 'acknowledgment-request':
        this.#sender.send(neighbour.channel, { kind: 'acknowledgment', opaque: tlv.opaque }, 'urgent', now);
        return neighbour.channel.flushBy(after(now, millis(tlv.interval / 2)));
      case 'hello':
        return this.#review(neighbour, now);
      case 'ihu':
        if (!isFor(tlv.address, neighbour.link)) return;
        neighbour.handleIhu(tlv, now);
        return this.#review(neighbour, now);
      case 'update':
        return this.#routing.handleUpdate(neighbour, tlv, now);
      case 'retraction':
        return this.#routing.handleRetraction(neighbour, tlv.prefix, now);
      case 'route-request':
        return this.#routing.handleRouteRequest(neighbour, tlv.prefix, now);
      case 'seqno-request':
        return this.#routing.handleSeqnoRequest(neighbour, tlv, now);
    }
  }

  /** Draws the consequences of what is now known of the link. */
  #review(neighbour: Neighbour, now: Millis): void {
    const { cost, knownCost } = neighbour;
    if (cost === knownCost) return;
    neighbour.knownCost = cost;
    const isReachable = cost < INFINITE;
    this.#routing.handleCost(neighbour, now);
    if (isReachable === knownCost < INFINITE) return;
    this.#hurry(neighbour, now);
    // An IHU is due at once: it is what makes the neighbour take us, or leave us.
    neighbour.ihuDueAt = millis(-Infinity);
    if (isReachable) this.#routing.handleReachable(neighbour, now);
  }

  #announceEverything(owner: Interface, now: Millis): void {
    this.#routing.announceEverything(owner, now);
    owner.updateAt = after(now, millis(owner.link.timing.updateInterval * (0.75 + 0.2 * this.#chance())));
  }

  /** The neighbour is gone. One that was added by hand may come back. */
  #lose(neighbour: Neighbour, now: Millis): void {
    if (neighbour.link.discovery === 'multicast') return this.#remove(neighbour, now);
    this.#forget(neighbour, now);
    this.#hurry(neighbour, now);
  }

  #remove(neighbour: Neighbour, now: Millis): void {
    this.#interfaces.get(neighbour.link.id)?.neighbours.delete(formatAddress(neighbour.address));
    this.#forget(neighbour, now);
    this.#hurry(neighbour, now);
  }

  /** Something changes on the neighbour's link. */
  #hurry({ link }: Neighbour, now: Millis): void {
    this.#interfaces.get(link.id)?.hurry(now, this.#chance() / 2);
  }

  #forget(neighbour: Neighbour, now: Millis): void {
    neighbour.reset();
    neighbour.knownCost = INFINITE;
    this.#sender.forget(neighbour);
    this.#routing.forget(neighbour, now);
  }

  #randomSeqno(): number {
    return Math.floor(this.#chance() * 0x10000) & 0xffff;
  }

  #drop(reason: DropReason): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }
}

function isFor(address: IpAddress | undefined, link: Link): boolean {
  return address === undefined || addressesEqual(address, link.address);
}
