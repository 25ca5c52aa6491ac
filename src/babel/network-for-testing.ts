/** Speakers on links with delay and loss, in virtual time; what they say of routes is what packets follow. */
import {
  formatAddress,
  formatPrefix,
  parseAddress,
  parsePrefix,
  prefixOf,
  type IpAddress,
  type Prefix,
} from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import type { InterfaceOptions } from './link.ts';
import { impliedRouterId } from './router-id.ts';
import type { SpeakerOptions, SpeakerOutput } from './speaker-interface.ts';
import { Speaker } from './speaker.ts';

/** More than any test needs: beyond it, speakers keep each other busy. */
const MAX_STEPS = 3_000_000;

export interface NodeForTesting {
  readonly name: string;
  speaker: Speaker;
  readonly address: IpAddress;
  readonly linkLocal: IpAddress;
  /** What it announces from the start, its /128. */
  readonly prefix: Prefix;
  readonly key: string;
  /** What a kernel would hold. `via`: the name of the next node, or no way on purpose. */
  readonly routes: Map<string, { readonly via: string | 'unreachable'; readonly metric: number }>;
  readonly links: Map<string, LinkForTesting>;
  isRunning: boolean;
}

export interface LinkForTesting {
  readonly id: string;
  readonly members: readonly NodeForTesting[];
  readonly options: Partial<InterfaceOptions>;
  delay: Millis;
  /** 0 to 1. */
  loss: number;
  isUp: boolean;
}

export interface LinkOptions extends Partial<Omit<InterfaceOptions, 'id' | 'address'>> {
  readonly delay?: Millis;
  readonly loss?: number;
}

export class BabelNetworkForTesting {
  now = millis(0);
  readonly nodes = new Map<string, NodeForTesting>();
  /** All that was sent. */
  packets = 0;
  bytes = 0;
  /** Called whenever somebody follows another way; throws to end a test. */
  check: () => void = () => undefined;
  /** Sees all packets; returns false to lose one. */
  passes: (from: string, to: string, packet: Uint8Array) => boolean = () => true;
  readonly #calendar: { at: Millis; run: () => void }[] = [];
  #seed: number;
  #links = 0;

  constructor(seed = 1) {
    this.#seed = seed;
  }

  /** From 0 to 1, the same in each run (a multiplicative generator of Lehmer's kind). */
  readonly chance = (): number => {
    this.#seed = (Math.imul(this.#seed, 48_271) & 0x7fff_ffff) % 0x7fff_ffff || 1;
    return this.#seed / 0x7fff_ffff;
  };

  addNode(name: string, options: Partial<SpeakerOptions> = {}): NodeForTesting {
    const number = (this.nodes.size + 1).toString(16);
    const address = addressOf(`fd77::${number}`);
    const routerId = impliedRouterId(address) ?? '';
    const speaker = new Speaker({ routerId, seqno: 1, chance: this.chance, ...options });
    const prefix = prefixOf(address, 128);
    const state = { routes: new Map(), links: new Map<string, LinkForTesting>(), isRunning: true };
    const linkLocal = addressOf(`fe80::${number}`);
    const node = { name, speaker, address, linkLocal, prefix, key: formatPrefix(prefix), ...state };
    this.nodes.set(name, node);
    speaker.announce(prefix, 0, this.now);
    this.#drain(node);
    return node;
  }

  /** Joins nodes by a link of their own; more than two are a LAN. */
  connect(names: readonly string[], options: LinkOptions = {}): LinkForTesting {
    const { delay = millis(1), loss = 0, ...interfaceOptions } = options;
    const id = `link${this.#links++}`;
    const members = names.map((name) => this.node(name));
    const link = { id, members, options: interfaceOptions, delay, loss, isUp: true };
    for (const node of members) {
      node.links.set(id, link);
      this.#attach(node, link);
      this.#drain(node);
    }
    return link;
  }

  /** As SIGKILL and a start: the others remember, the node does not. */
  restart(name: string, options: Partial<SpeakerOptions> = {}): void {
    const node = this.node(name);
    const routerId = impliedRouterId(node.address) ?? '';
    node.speaker = new Speaker({ routerId, seqno: 1, chance: this.chance, ...options });
    node.routes.clear();
    node.isRunning = true;
    for (const link of node.links.values()) this.#attach(node, link);
    node.speaker.announce(node.prefix, 0, this.now);
    this.#drain(node);
  }

  node(name: string): NodeForTesting {
    const node = this.nodes.get(name);
    if (node === undefined) throw new RangeError(`no node ${name}`);
    return node;
  }

  /** Does something to a node's speaker at the present time. */
  act(name: string, action: (speaker: Speaker, now: Millis) => void): void {
    const node = this.node(name);
    action(node.speaker, this.now);
    this.#drain(node);
  }

  /** As SIGKILL. */
  kill(name: string): void {
    this.node(name).isRunning = false;
  }

  runFor(length: Millis): void {
    const end = after(this.now, length);
    for (let step = 0; step < MAX_STEPS; step++) {
      const next = Math.min(this.#calendar.at(-1)?.at ?? Infinity, ...this.#running().map(dueAt));
      if (next > end) {
        this.now = end;
        return;
      }
      this.now = millis(Math.max(this.now, next));
      this.#step();
    }
    throw new RangeError(`no rest after ${MAX_STEPS} steps, at ${this.now}`);
  }

  /** Runs until `isSo`. @returns how long that took, or `undefined` if it was not so within `limit` */
  runUntil(isSo: () => boolean, limit: Millis): Millis | undefined {
    const start = this.now;
    while (!isSo()) {
      if (this.now - start >= limit) return undefined;
      this.runFor(millis(10));
    }
    return millis(this.now - start);
  }

  /** The nodes that a packet from `from` to the /128 of `to` passes, or what becomes of it. */
  pathBetween(from: string, to: string): string[] | 'no way' | 'loop' {
    const { key } = this.node(to);
    const path = [from];
    for (let at = this.node(from); ;) {
      if (at.key === key) return path;
      const via = at.routes.get(key)?.via;
      if (via === undefined || via === 'unreachable') return 'no way';
      if (path.includes(via)) return 'loop';
      path.push(via);
      at = this.node(via);
    }
  }

  /** Throws if packets to any node's prefix go round in circles. */
  assertNoLoops(): void {
    for (const to of this.nodes.keys()) {
      for (const from of this.nodes.keys()) {
        if (this.pathBetween(from, to) === 'loop') throw new Error(`a loop from ${from} to ${to} at ${this.now}`);
      }
    }
  }

  #attach({ speaker, linkLocal }: NodeForTesting, { id, members, options }: LinkForTesting): void {
    const defaults = { id, kind: 'wired', discovery: 'multicast', mtu: 1400, address: linkLocal } as const;
    speaker.addInterface({ ...defaults, ...options }, this.now);
    if (options.discovery !== 'unicast') return;
    for (const other of members) if (!isAt(other, linkLocal)) speaker.addNeighbour(id, other.linkLocal, this.now);
  }

  #running(): NodeForTesting[] {
    return [...this.nodes.values()].filter(({ isRunning }) => isRunning);
  }

  #step(): void {
    const event = this.#calendar.at(-1);
    if (event !== undefined && event.at <= this.now) {
      this.#calendar.pop();
      return event.run();
    }
    const node = this.#running().find((candidate) => dueAt(candidate) <= this.now);
    if (node === undefined) return;
    node.speaker.handleTimeout(this.now);
    this.#drain(node);
  }

  #drain(node: NodeForTesting): void {
    for (let output = node.speaker.poll(); output !== undefined; output = node.speaker.poll()) {
      this.#carryOut(node, output);
      if (output.kind !== 'send') this.check();
    }
  }

  #carryOut(node: NodeForTesting, output: SpeakerOutput): void {
    switch (output.kind) {
      case 'send':
        return this.#transmit(node, output);
      case 'route-added':
      case 'route-changed': {
        const next = node.links.get(output.interface)?.members.find((member) => isAt(member, output.nextHop));
        if (next === undefined) throw new Error(`${node.name} follows a next hop that is nobody`);
        if ((output.kind === 'route-added') === isFollowed(node, output.prefix)) {
          throw new Error(`${output.kind} of ${formatPrefix(output.prefix)}, contrary to what was said before`);
        }
        node.routes.set(formatPrefix(output.prefix), { via: next.name, metric: output.metric });
        return;
      }
      case 'route-unreachable':
        node.routes.set(formatPrefix(output.prefix), { via: 'unreachable', metric: Infinity });
        return;
      case 'route-removed':
        if (!node.routes.delete(formatPrefix(output.prefix))) throw new Error('a route was removed that was not there');
    }
  }

  #transmit(from: NodeForTesting, { interface: id, to, packet }: SpeakerOutput & { kind: 'send' }): void {
    const link = from.links.get(id);
    if (link === undefined) throw new Error(`${from.name} sends on ${id}, which it does not have`);
    this.packets += 1;
    this.bytes += packet.length + 48;
    for (const member of link.members) {
      if (member === from || (to !== 'multicast' && !isAt(member, to))) continue;
      if (!link.isUp || this.chance() < link.loss || !this.passes(from.name, member.name, packet)) continue;
      // Later or earlier by a tenth, so that packets overtake each other.
      this.#schedule(millis(link.delay * (0.95 + this.chance() / 10)), () => {
        if (!link.isUp || !member.isRunning) return;
        member.speaker.handlePacket(id, from.linkLocal, packet, this.now);
        this.#drain(member);
      });
    }
  }

  #schedule(delay: Millis, run: () => void): void {
    const at = after(this.now, delay);
    const index = this.#calendar.findLastIndex((entry) => entry.at > at);
    this.#calendar.splice(index + 1, 0, { at, run });
  }
}

function dueAt({ speaker }: NodeForTesting): number {
  return speaker.nextTimeout() ?? Infinity;
}

function isAt({ linkLocal }: NodeForTesting, address: IpAddress): boolean {
  return formatAddress(linkLocal) === formatAddress(address);
}

function isFollowed({ routes }: NodeForTesting, prefix: Prefix): boolean {
  const route = routes.get(formatPrefix(prefix));
  return route !== undefined && route.via !== 'unreachable';
}

function addressOf(text: string): IpAddress {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(text);
  return address;
}

export function prefixForTesting(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new RangeError(text);
  return prefix;
}
