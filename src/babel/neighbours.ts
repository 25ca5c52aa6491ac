/** The neighbour table (RFC 8966 §3.2.4): who is heard on an interface, and what the link to him costs. */
import type { IpAddress } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import { Channel } from './channel.ts';
import { HOLD_INTERVALS, INFINITE } from './constants.ts';
import { HelloHistory } from './hello-history.ts';
import type { Link } from './link.ts';
import { linkCost, metricPlus, rxcostOf } from './metric.ts';
import { RttEstimator } from './rtt.ts';
import { seqnoPlus } from './seqno.ts';
import type { Hello, Ihu } from './tlv.ts';

/** Packets that a neighbour may send us: a full table comes in a burst. */
const PACKETS = { perSecond: 200, burst: 1000 };

export class Neighbour {
  readonly link: Link;
  readonly address: IpAddress;
  readonly channel: Channel;
  /** The prefixes that the neighbour has a route for in our table. */
  readonly prefixKeys = new Set<string>();
  /** When an IHU must have been sent. */
  ihuDueAt = millis(-Infinity);
  dumpedAt = millis(-Infinity);
  /** When everything is to be announced to the neighbour, which has asked for it too soon after the last time. */
  dumpWantedAt = millis(Infinity);
  /** The cost that routes were last computed with. */
  knownCost = INFINITE;
  #histories = newHistories();
  #txcost = INFINITE;
  #ihuExpiresAt = millis(Infinity);
  #unicastHelloSeqno: number;
  #extraCost = 0;
  #rtt: RttEstimator;
  #tokens = PACKETS.burst;
  #tokensAt = millis(-Infinity);

  constructor(link: Link, address: IpAddress, firstHelloSeqno: number) {
    this.link = link;
    this.address = address;
    this.channel = new Channel(link, address);
    this.#unicastHelloSeqno = firstHelloSeqno;
    this.#rtt = new RttEstimator(link.rttCost);
  }

  /** What receiving from the neighbour costs, which is what we tell it in an IHU. */
  get rxcost(): number {
    return rxcostOf(this.link.kind, this.#histories, this.link.rxcost);
  }

  get txcost(): number {
    return this.#txcost;
  }

  /** Of the link in both directions. */
  get cost(): number {
    const cost = linkCost(this.link.kind, this.rxcost, this.#txcost);
    return metricPlus(cost, this.#rtt.penalty + this.#extraCost);
  }

  get isReachable(): boolean {
    return this.cost < INFINITE;
  }

  /** Whether nothing was heard for so long that the neighbour is gone. */
  get isSilent(): boolean {
    return this.#histories.multicast.isEmpty && this.#histories.unicast.isEmpty;
  }

  get isLossy(): boolean {
    return this.#histories.multicast.isLossy || this.#histories.unicast.isLossy;
  }

  get rtt(): RttEstimator {
    return this.#rtt;
  }

  /** Whether one more packet may cost us something. */
  admits(now: Millis): boolean {
    const refill = ((now - this.#tokensAt) / 1000) * PACKETS.perSecond;
    this.#tokens = Math.min(PACKETS.burst, this.#tokens + refill);
    this.#tokensAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** @returns false if the neighbour has started anew since: what we know of it is void */
  handleHello({ isUnicast, seqno, interval }: Hello, now: Millis): boolean {
    return this.#histories[isUnicast ? 'unicast' : 'multicast'].receive(seqno, interval, now);
  }

  handleIhu({ rxcost, interval }: Ihu, now: Millis): void {
    this.#txcost = rxcost;
    this.#ihuExpiresAt = after(now, millis(interval * HOLD_INTERVALS));
  }

  setExtraCost(cost: number): void {
    this.#extraCost = cost;
  }

  nextUnicastHelloSeqno(): number {
    this.#unicastHelloSeqno = seqnoPlus(this.#unicastHelloSeqno, 1);
    return this.#unicastHelloSeqno;
  }

  /** Whether another who wants its place may have it: nothing goes over it, or it has not kept two promises in a row. */
  get isExpendable(): boolean {
    const { multicast, unicast } = this.#histories;
    return !this.isReachable || Math.max(multicast.heard(2), unicast.heard(2)) === 0;
  }

  /** Forgets all that was heard. */
  reset(): void {
    this.#histories = newHistories();
    this.#txcost = INFINITE;
    this.#ihuExpiresAt = millis(Infinity);
    this.#rtt = new RttEstimator(this.link.rttCost);
    this.ihuDueAt = millis(-Infinity);
    this.dumpedAt = millis(-Infinity);
    this.dumpWantedAt = millis(Infinity);
  }

  /** Notes what has not come in time. @returns whether something has not */
  handleTimeout(now: Millis): boolean {
    const missedMulticast = this.#histories.multicast.miss(now);
    const missedUnicast = this.#histories.unicast.miss(now);
    const isExpired = this.#ihuExpiresAt <= now;
    if (isExpired) {
      this.#txcost = INFINITE;
      this.#ihuExpiresAt = millis(Infinity);
    }
    return missedMulticast || missedUnicast || isExpired;
  }

  nextTimeout(): Millis {
    const { multicast, unicast } = this.#histories;
    return millis(Math.min(multicast.dueAt, unicast.dueAt, this.#ihuExpiresAt, this.dumpWantedAt));
  }
}

function newHistories(): { multicast: HelloHistory; unicast: HelloHistory } {
  return { multicast: new HelloHistory(), unicast: new HelloHistory() };
}
