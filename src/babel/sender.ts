/** When what is sent where: Hellos and IHUs, updates and their acknowledgements, packed up to the MTU (RFC 8966 §3.1). */
import { after, millis, type Millis } from '../machine/index.ts';
import { AcknowledgmentTable } from './acknowledgments.ts';
import type { Channel, PendingUpdate, Urgency } from './channel.ts';
import { IHU_INTERVALS, INFINITE } from './constants.ts';
import type { Interface } from './interfaces.ts';
import type { Link } from './link.ts';
import type { Neighbour } from './neighbours.ts';
import { PacketWriter } from './packet-writer.ts';
import type { Advertisement } from './routes.ts';
import { timestampOf } from './rtt.ts';
import type { SourceTable } from './sources.ts';
import type { DropReason, SendOutput } from './speaker-interface.ts';
import type { Hello, Ihu, Tlv } from './tlv.ts';

export interface SenderContext {
  readonly chance: () => number;
  readonly interfaces: ReadonlyMap<string, Interface>;
  readonly sources: SourceTable;
  readonly maxAcknowledgments: number;
  readonly advertisementOf: (key: string) => Advertisement | undefined;
  readonly output: (output: SendOutput) => void;
  readonly drop: (reason: DropReason) => void;
}

/** Of an update that matters, until it is acknowledged. §3.7.2 allows five. */
export const RELIABLE_COPIES = 4;
/** The key of what retracts all prefixes. */
export const EVERYTHING = '*';

/** With more neighbours than this an update is sent several times instead of being acknowledged by each of them. */
const MAX_ACKNOWLEDGING = 8;
const UNACKNOWLEDGED_COPIES = 2;
/** Updates of one flush: some four packets; the rest after a pause, so that no queue on the way overflows (§3.1). */
const UPDATES_A_FLUSH = 160;
const PACING = millis(20);
/** What is left in every packet for a request to acknowledge it. */
const ACKNOWLEDGMENT_REQUEST_BYTES = 8;
/** Promised in the last Hello of all: the next is missed at once. */
const FAREWELL_INTERVAL = millis(10);

export class Sender {
  readonly #context: SenderContext;
  readonly #acknowledgments: AcknowledgmentTable;

  constructor(context: SenderContext) {
    this.#context = context;
    const firstOpaque = Math.floor(context.chance() * 0x10000) & 0xffff;
    this.#acknowledgments = new AcknowledgmentTable(context.maxAcknowledgments, firstOpaque);
  }

  /** Whether nothing that was sent is waited for. */
  get isIdle(): boolean {
    return this.#acknowledgments.isEmpty;
  }

  send(channel: Channel, tlv: Tlv, urgency: Urgency, now: Millis): void {
    if (!channel.push(tlv)) this.#context.drop('too-many-answers');
    this.#schedule(channel, urgency, now);
  }

  update(channel: Channel, key: string, update: PendingUpdate, when: { urgency: Urgency; now: Millis }): void {
    if (!channel.update(key, update)) this.#context.drop('too-many-answers');
    this.#schedule(channel, when.urgency, when.now);
  }

  /** Sends a scheduled Hello now, with the IHUs that are due and all that waits for the same place. */
  sendHello(owner: Interface, now: Millis): void {
    const interval = owner.scheduleHello(now, this.#context.chance());
    const ihuInterval = millis(interval * IHU_INTERVALS);
    const timestamp = timestampOf(now);
    const due = [...owner.neighbours.values()].filter(
      ({ isLossy, ihuDueAt }) => isLossy || ihuDueAt < after(now, interval),
    );
    for (const neighbour of due) neighbour.ihuDueAt = after(now, ihuInterval);
    const ihus = due.map((neighbour) => ihuFor(neighbour, ihuInterval));
    if (!owner.isUnicast) {
      const hello: Hello = { kind: 'hello', isUnicast: false, seqno: owner.nextHelloSeqno(), interval, timestamp };
      owner.multicast.unshift([hello, ...ihus]);
      return this.#flush(owner.multicast, now);
    }
    for (const neighbour of owner.neighbours.values()) {
      const seqno = neighbour.nextUnicastHelloSeqno();
      const hello: Hello = { kind: 'hello', isUnicast: true, seqno, interval, timestamp };
      neighbour.channel.unshift([hello, ...ihus.filter((_, i) => due[i] === neighbour)]);
      this.#flush(neighbour.channel, now);
    }
  }

  /** Tells all neighbours that we go. What was to be sent, or sent again, no longer counts. */
  sendFarewells(now: Millis): void {
    this.#acknowledgments.clear();
    for (const owner of this.#context.interfaces.values()) {
      for (const channel of [owner.multicast, ...Array.from(owner.neighbours.values(), (one) => one.channel)]) {
        channel.clear();
      }
      this.#sendFarewell(owner, now);
    }
  }

  /** @returns the prefixes of which all neighbours that we told have acknowledged what we said */
  handleAcknowledgment(neighbour: Neighbour, opaque: number): string[] {
    return this.#acknowledgments.handle(neighbour, opaque).filter((key) => !this.#acknowledgments.has(key));
  }

  forget(neighbour: Neighbour): void {
    this.#acknowledgments.forget(neighbour);
  }

  /** @returns the prefixes of which it will not be known who knows */
  handleTimeout(now: Millis): string[] {
    const unconfirmed: string[] = [];
    for (const { waiting, updates } of this.#acknowledgments.handleTimeout(now)) {
      const left = [...updates].filter(([, { copies }]) => copies > 0);
      for (const [key, { copies }] of updates) if (copies === 0) unconfirmed.push(key);
      for (const { channel } of waiting) {
        for (const [key, update] of left) channel.update(key, update);
        channel.flushBy(now);
      }
    }
    for (const { multicast, neighbours } of this.#context.interfaces.values()) {
      if (multicast.flushAt <= now) this.#flush(multicast, now);
      for (const { channel } of neighbours.values()) if (channel.flushAt <= now) this.#flush(channel, now);
    }
    return unconfirmed;
  }

  nextTimeout(): Millis | undefined {
    return this.#acknowledgments.nextTimeout();
  }

  #sendFarewell(owner: Interface, now: Millis): void {
    const interval = FAREWELL_INTERVAL;
    for (const channel of owner.channels()) {
      const neighbour = neighbourOf(owner, channel);
      const seqno = neighbour === undefined ? owner.nextHelloSeqno() : neighbour.nextUnicastHelloSeqno();
      const farewells = neighbour === undefined ? [...owner.neighbours.values()] : [neighbour];
      const ihus = farewells.map(({ address }): Ihu => ({ kind: 'ihu', address, rxcost: INFINITE, interval }));
      channel.unshift([{ kind: 'hello', isUnicast: neighbour !== undefined, seqno, interval }, ...ihus]);
      channel.update(EVERYTHING, { prefix: undefined, copies: RELIABLE_COPIES, isAnswer: true });
      this.#flush(channel, now);
    }
  }

  /** At a random moment of the time it may take, so that neighbours do not speak at once (§3.1). */
  #schedule(channel: Channel, urgency: Urgency, now: Millis): void {
    const { urgentTimeout, shortHelloInterval } = channel.link.timing;
    const within = urgency === 'urgent' ? urgentTimeout : millis(Math.max(urgentTimeout, shortHelloInterval / 2));
    channel.flushBy(after(now, millis(within * this.#context.chance())));
  }

  #flush(channel: Channel, now: Millis): void {
    const owner = this.#context.interfaces.get(channel.link.id);
    if (owner === undefined) return;
    const neighbour = neighbourOf(owner, channel);
    const readers = neighbour === undefined ? owner.reachableNeighbours() : [neighbour];
    const packets = new Packets(
      channel,
      (updates) => this.#request(channel, readers, updates, now),
      this.#context.output,
    );
    for (const tlv of channel.takeTlvs()) packets.add(tlv);
    const lines: { key: string; update: PendingUpdate; tlv: Tlv; sortKey: string }[] = [];
    for (const [key, update] of channel.takeUpdates(UPDATES_A_FLUSH)) {
      const advertisement = this.#context.advertisementOf(key);
      if (!update.isAnswer && isHeldBack(channel, advertisement?.learnedFrom)) continue;
      const tlv = this.#updateTlv(channel.link, update, advertisement, now);
      if (tlv !== undefined) lines.push({ key, update, tlv, sortKey: `${advertisement?.routerId ?? ''} ${key}` });
    }
    // Neighbours in this order share router-ids and leading octets.
    lines.sort((a, b) => (a.sortKey < b.sortKey ? -1 : 1));
    for (const { key, update, tlv } of lines) packets.add(tlv, key, update);
    packets.finish();
    channel.rest(now, PACING);
  }

  /** What is to be said of the prefix. An announcement is entered in the source table before it is sent (§3.7.3). */
  #updateTlv(link: Link, { prefix }: PendingUpdate, advertisement: Advertisement | undefined, now: Millis) {
    if (prefix === undefined || advertisement === undefined) return { kind: 'retraction', prefix } as const;
    const { key, routerId, seqno, metric } = advertisement;
    if (!this.#context.sources.announce(key, routerId, { seqno, metric }, now)) {
      this.#context.drop('too-many-sources');
      return undefined;
    }
    const { address, ipv4Address, timing } = link;
    const nextHop = prefix.address.family === 4 ? (ipv4Address ?? address) : address;
    return { kind: 'update', prefix, routerId, nextHop, seqno, metric, interval: timing.updateInterval } as const;
  }

  /** Asks for what is in a packet to be acknowledged, or sees to it that it is sent again. @returns the request, if any */
  #request(channel: Channel, readers: readonly Neighbour[], updates: ReadonlyMap<string, PendingUpdate>, now: Millis) {
    if (updates.size === 0 || readers.length === 0) return undefined;
    if (readers.length > MAX_ACKNOWLEDGING || this.#acknowledgments.isFull) {
      if (this.#acknowledgments.isFull) this.#context.drop('too-many-acknowledgments');
      for (const [key, { prefix, copies, isAnswer }] of updates) {
        const left = Math.min(copies, UNACKNOWLEDGED_COPIES - 1) - 1;
        channel.update(key, { prefix, copies: Math.max(0, left), isAnswer });
      }
      return undefined;
    }
    const interval = channel.link.timing.acknowledgmentTimeout;
    const opaque = this.#acknowledgments.expect(readers, updates, now);
    return { kind: 'acknowledgment-request', opaque, interval } as const;
  }
}

/** The packets of one flush. */
class Packets {
  readonly #channel: Channel;
  readonly #request: (updates: ReadonlyMap<string, PendingUpdate>) => Tlv | undefined;
  readonly #output: (output: SendOutput) => void;
  #writer: PacketWriter;
  #hasHello = false;
  /** What the packet holds that is to be acknowledged. */
  #reliable = new Map<string, PendingUpdate>();

  constructor(
    channel: Channel,
    request: (updates: ReadonlyMap<string, PendingUpdate>) => Tlv | undefined,
    output: (output: SendOutput) => void,
  ) {
    this.#channel = channel;
    this.#request = request;
    this.#output = output;
    this.#writer = newWriter(channel);
  }

  add(tlv: Tlv, key?: string, update?: PendingUpdate): void {
    if (!this.#writer.add(this.#timely(tlv), ACKNOWLEDGMENT_REQUEST_BYTES)) {
      this.finish();
      this.#writer.add(this.#timely(tlv));
    }
    if (tlv.kind === 'hello') this.#hasHello = true;
    if (key === undefined || update === undefined || update.copies === 0) return;
    this.#reliable.set(key, { ...update, copies: update.copies - 1 });
  }

  finish(): void {
    if (this.#writer.isEmpty) return;
    const request = this.#request(this.#reliable);
    if (request !== undefined) this.#writer.add(request);
    const { link, to } = this.#channel;
    this.#output({ kind: 'send', interface: link.id, to, packet: this.#writer.finish() });
    this.#writer = newWriter(this.#channel);
    this.#hasHello = false;
    this.#reliable = new Map();
  }

  /** An IHU's timestamps mean something only beside a Hello's (RFC 9616 §3.2). */
  #timely(tlv: Tlv): Tlv {
    if (tlv.kind !== 'ihu' || this.#hasHello) return tlv;
    const { kind, address, rxcost, interval } = tlv;
    return { kind, address, rxcost, interval };
  }
}

function newWriter({ link }: Channel): PacketWriter {
  return new PacketWriter(link.address, link.maxPacketBytes);
}

function ihuFor({ address, rxcost, rtt }: Neighbour, interval: Millis): Ihu {
  const ihu = { kind: 'ihu', address, rxcost, interval } as const;
  return rtt.timestamps === undefined ? ihu : { ...ihu, timestamps: rtt.timestamps };
}

function neighbourOf(owner: Interface, { to }: Channel): Neighbour | undefined {
  return to === 'multicast' ? undefined : owner.neighbour(to);
}

/** Split horizon: on a link where all hear each other, its routes are not announced to it (§3.7.4). */
export function isHeldBack({ link, to }: Channel, learnedFrom: Neighbour | undefined): boolean {
  if (learnedFrom === undefined || link.kind === 'wireless' || learnedFrom.link !== link) return false;
  return link.discovery === 'multicast' || learnedFrom.address === to;
}
