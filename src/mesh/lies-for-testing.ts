/** A mesh some members of which lie: nodes on links of their own, forged Babel packets, and relays that drop. */
import { impliedRouterId, PacketWriter } from '../babel/index.ts';
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import { addressFromBytes, formatAddress, prefixOf, type IpAddress } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { meshTag, readMessage, writeMessage, type Message } from './messages.ts';
import { NetworkForTesting, type HostOptions } from './network-for-testing.ts';
import type { Path } from './node-interface.ts';

export class MeshWithLiars extends NetworkForTesting {
  /** Relay tables of honest nodes that lead round in a ring, as they were seen. */
  readonly loops = new Set<string>();
  readonly liars = new Set<string>();
  /** Called for every message with statements that arrives. */
  onStatement: (datagram: Uint8Array) => void = () => {};
  dropStatement: () => boolean = () => false;
  readonly #names: string[] = [];
  readonly #options = new Map<string, HostOptions>();
  readonly #tag: Uint8Array;
  readonly #seqnos = new Map<string, number>();

  /** `links`: pairs of names, a letter each: `ab bc`. */
  constructor(links: string, primitives: IdentityPrimitives) {
    super(primitives);
    this.#tag = meshTag('test', primitives);
    const pairs = links.split(' ');
    this.onRelayRoutes = () => this.#lookForLoops();
    this.onTunnelDatagram = (_host, datagram) => {
      const message = readMessage(datagram, this.#tag);
      if (typeof message === 'string' || message.kind !== 'seqno-statements') return false;
      for (const { nodeId, seqno } of message.statements) this.#seqnos.set(nodeId, seqno);
      this.onStatement(datagram);
      return this.dropStatement();
    };
    this.#names = [...new Set(pairs.join(''))].sort();
    for (const name of this.#names) {
      const options = { links: pairs.flatMap((pair, i) => (pair.includes(name) ? [i + 1] : [])) };
      this.#options.set(name, options);
      this.start(name, options);
    }
  }

  /** As after a crash. */
  restart(name: string, options: HostOptions = {}): void {
    this.kill(name);
    this.start(name, { ...this.#options.get(name), ...options });
  }

  /** `from` sends what it likes inside its tunnel to `to`. */
  say(from: string, to: string, message: Message): void {
    this.sayBytes(from, to, writeMessage(message, this.#tag));
  }

  sayBytes(from: string, to: string, datagram: Uint8Array): void {
    this.device(from).send({ kind: 'mesh', datagram }, this.node(to).address);
  }

  /** `liar` announces a way to `about`. */
  claim(liar: string, to: string, about: string, { seqno, metric }: { seqno: number; metric: number }): void {
    const { address } = this.node(about);
    const from = linkLocalOf(this.node(liar).address);
    const writer = new PacketWriter(from, 1000);
    const routerId = impliedRouterId(address) as string;
    const interval = seconds(300);
    writer.add({ kind: 'update', prefix: prefixOf(address, 128), routerId, nextHop: from, seqno, metric, interval });
    this.say(liar, to, { kind: 'babel', packet: writer.finish() });
  }

  /** What it announces itself with. */
  seqnoOf(name: string): number {
    return this.#seqnos.get(this.node(name).nodeId) ?? 0;
  }

  pathTo(from: string, to: string): Path | undefined {
    const { nodeId } = this.node(to);
    return this.node(from)
      .status()
      .nodes.find((node) => node.nodeId === nodeId)?.path;
  }

  /** The host names that a packet passes. */
  way(from: string, to: string): string {
    const path = this.pathTo(from, to);
    if (path?.kind === 'direct') return from + to;
    return this.#follow(from, to);
  }

  /** Applications of `from` send to `to`. @returns how many packets did not arrive, and the longest time without one */
  talk(from: string, to: string, length: Millis, interval = millis(50)): { lost: number; outage: number } {
    const before = this.delivered.length;
    const start = this.now;
    const wasDelivered = () => this.delivered.filter(({ host }, i) => i >= before && host === to);
    let sent = 0;
    while (this.now - start < length) {
      this.sendData(from, to);
      sent += 1;
      this.runFor(interval);
    }
    const end = this.now;
    this.runFor(seconds(0.2));
    const arrivals = wasDelivered().map(({ at }) => at);
    const times = [start, ...arrivals, Math.max(end, arrivals.at(-1) ?? end)];
    const gaps = times.slice(1).map((at, i) => at - times[i]);
    return { lost: sent - wasDelivered().length, outage: Math.max(...gaps) };
  }

  drops(name: string): Readonly<Record<string, number>> {
    return this.node(name).status().drops;
  }

  #lookForLoops(): void {
    const names = this.#names.filter((name) => this.isRunning(name));
    for (const to of names) for (const from of names) if (from !== to) this.#follow(from, to);
  }

  #follow(from: string, to: string): string {
    const destination = formatAddress(this.node(to).address);
    let way = from;
    for (let at = from; at !== to;) {
      const via = this.device(at).relayRoutes.get(destination);
      const next = via === undefined ? undefined : this.hostWithKey(via);
      if (next === undefined || !this.isRunning(next)) return way;
      if (this.liars.has(next)) return way + next;
      if (way.includes(next)) {
        this.loops.add(`${this.now} to ${to}: ${way}${next}`);
        return way;
      }
      way += next;
      at = next;
    }
    return way;
  }
}

export function linkLocalOf({ bytes }: IpAddress): IpAddress {
  return addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...bytes.subarray(8)));
}
