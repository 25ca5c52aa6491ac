/** The interface table (RFC 8966 §3.2.3). */
import { formatAddress, type IpAddress } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import { Channel } from './channel.ts';
import { linkOf, type InterfaceOptions, type Link } from './link.ts';
import { Neighbour } from './neighbours.ts';
import { seqnoPlus } from './seqno.ts';

export class Interface {
  readonly link: Link;
  /** By address in text. */
  readonly neighbours = new Map<string, Neighbour>();
  readonly multicast: Channel;
  #helloSeqno: number;
  #helloInterval: Millis;
  helloAt: Millis;
  updateAt: Millis;
  /** From when on a neighbour may go in favour of another. */
  evictAt = millis(-Infinity);

  constructor(options: InterfaceOptions, firstHelloSeqno: number, now: Millis) {
    this.link = linkOf(options);
    this.multicast = new Channel(this.link, 'multicast');
    this.#helloSeqno = firstHelloSeqno;
    this.#helloInterval = this.link.timing.shortHelloInterval;
    this.helloAt = now;
    this.updateAt = after(now, this.link.timing.updateInterval);
  }

  get isUnicast(): boolean {
    return this.link.discovery === 'unicast';
  }

  neighbour(address: IpAddress): Neighbour | undefined {
    return this.neighbours.get(formatAddress(address));
  }

  createNeighbour(address: IpAddress, firstHelloSeqno: number): Neighbour {
    const neighbour = new Neighbour(this.link, address, firstHelloSeqno);
    this.neighbours.set(formatAddress(address), neighbour);
    return neighbour;
  }

  /** Of those who may go in favour of another, the one that was met first. */
  expendable(): Neighbour | undefined {
    return [...this.neighbours.values()].find(({ isExpendable }) => isExpendable);
  }

  /** Where announcements for all of the interface go. */
  channels(): Channel[] {
    return this.isUnicast ? this.reachableNeighbours().map(({ channel }) => channel) : [this.multicast];
  }

  reachableNeighbours(): Neighbour[] {
    return [...this.neighbours.values()].filter(({ isReachable }) => isReachable);
  }

  /** Something changes here: says Hello soon, and more often for a while. `jitter`: 0 to 1. */
  hurry(now: Millis, jitter: number): void {
    this.#helloInterval = this.link.timing.shortHelloInterval;
    const soon = after(now, millis(this.#helloInterval * jitter));
    if (soon < this.helloAt) this.helloAt = soon;
  }

  /** Sets when the next Hello is due. @returns the interval to be promised in the one that is sent now */
  scheduleHello(now: Millis, jitter: number): Millis {
    const interval = this.#helloInterval;
    this.helloAt = after(now, millis(interval * (0.85 + 0.15 * jitter)));
    this.#helloInterval = millis(Math.min(this.link.timing.helloInterval, interval * 2));
    return interval;
  }

  nextHelloSeqno(): number {
    this.#helloSeqno = seqnoPlus(this.#helloSeqno, 1);
    return this.#helloSeqno;
  }

  nextTimeout(): Millis {
    let next = Math.min(this.helloAt, this.updateAt, this.nextFlush());
    for (const neighbour of this.neighbours.values()) next = Math.min(next, neighbour.nextTimeout());
    return millis(next);
  }

  nextFlush(): Millis {
    let next = this.multicast.flushAt;
    for (const { channel } of this.neighbours.values()) next = millis(Math.min(next, channel.flushAt));
    return next;
  }
}
