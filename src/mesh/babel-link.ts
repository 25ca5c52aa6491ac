/**
 * Babel between the neighbours of a mesh (docs/decisions/0017-babel-inside-the-mesh.md): one interface without multicast,
 * on which each neighbour goes by a link-local address made of its mesh address. Each node announces its own address, and
 * nothing else is believed.
 */
import {
  DEFAULT_RTT_COST,
  impliedRouterId,
  INFINITE,
  Speaker,
  type Candidate,
  type InterfaceOptions,
  type RouterId,
  type SpeakerOutput,
} from '../babel/index.ts';
import { addressFromBytes, formatAddress, prefixOf, type IpAddress } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import type { KnownNode, KnownNodes } from './known-nodes.ts';
import { MAX_BABEL_BYTES } from './messages.ts';

const INTERFACE = 'mesh';
const IPV6_UDP_HEADERS = 48;
/** Of a description, whose node forwards what is not its own. */
export const RELAY_CAPABILITY = 'relay';

/**
 * Probes tell when a neighbour is lost, and updates that matter are acknowledged, so that at rest there is little to say.
 * A neighbour counts from its second Hello on: the first ones follow each other quickly. Unicast packets do not collide:
 * what is urgent need not wait for chance, and a way round a ring of ten takes eighteen such waits to find.
 */
const TIMING: NonNullable<InterfaceOptions['timing']> = {
  shortHelloInterval: millis(200),
  helloInterval: seconds(90),
  updateInterval: seconds(300),
  urgentTimeout: millis(5),
};

export interface BabelLinkOptions {
  readonly address: IpAddress;
  readonly nodes: KnownNodes;
  readonly chance: () => number;
  readonly unixNow: Millis;
}

export type BabelLinkOutput =
  | { readonly kind: 'send'; readonly to: KnownNode; readonly packet: Uint8Array }
  /** The way to `destination`; `via` is left out where there is none. */
  | { readonly kind: 'route'; readonly destination: IpAddress; readonly via?: KnownNode; readonly metric: number };

export class BabelLink {
  readonly #nodes: KnownNodes;
  readonly #speaker: Speaker;
  readonly #filter = (candidate: Candidate): boolean => this.#isBelieved(candidate);
  /** By link-local address. */
  readonly #neighbours = new Map<string, KnownNode>();
  #isStarted = false;
  readonly #address: IpAddress;

  constructor({ address, nodes, chance, unixNow }: BabelLinkOptions) {
    this.#address = address;
    this.#nodes = nodes;
    // Newer than that of an earlier life.
    const seqno = Math.floor(unixNow / 1000) & 0xffff;
    // Only zeros or only ones give no router-id; nobody comes upon such an address by chance.
    const routerId = impliedRouterId(address) as RouterId;
    this.#speaker = new Speaker({ routerId, seqno, chance, filter: this.#filter });
  }

  start(now: Millis): void {
    const link = { id: INTERFACE, kind: 'tunnel', discovery: 'unicast', timing: TIMING } as const;
    const mtu = MAX_BABEL_BYTES + IPV6_UDP_HEADERS;
    this.#isStarted = true;
    const address = linkLocalOf(this.#address);
    this.#speaker.addInterface({ ...link, mtu, address, rttCost: DEFAULT_RTT_COST }, now);
    this.#speaker.announce(prefixOf(this.#address, 128), 0, now);
  }

  /** @returns false if another neighbour goes by the same link-local address, which is no accident */
  addNeighbour(node: KnownNode, now: Millis): boolean {
    const address = linkLocalOf(node.description.address);
    const key = formatAddress(address);
    if (this.#neighbours.has(key)) return false;
    this.#neighbours.set(key, node);
    this.#speaker.addNeighbour(INTERFACE, address, now);
    return true;
  }

  removeNeighbour({ description }: KnownNode, now: Millis): void {
    const address = linkLocalOf(description.address);
    this.#neighbours.delete(formatAddress(address));
    this.#speaker.removeNeighbour(INTERFACE, address, now);
  }

  /** Probes measure more often than Babel's own timestamps. */
  handleRtt({ description }: KnownNode, rtt: Millis, now: Millis): void {
    this.#speaker.handleRtt(INTERFACE, linkLocalOf(description.address), rtt, now);
  }

  /** A node has become known: its address is believed from now on. */
  handleKnown({ description }: KnownNode, now: Millis): void {
    this.#speaker.request(prefixOf(description.address, 128), now);
  }

  /** A node is known no more, or relays no more, or does so now. */
  handleFilter(now: Millis): void {
    this.#speaker.setFilter(this.#filter, now);
  }

  handlePacket({ description }: KnownNode, packet: Uint8Array, now: Millis): void {
    this.#speaker.handlePacket(INTERFACE, linkLocalOf(description.address), packet, now);
  }

  handleTimeout(now: Millis): void {
    if (this.#isStarted) this.#speaker.handleTimeout(now);
  }

  poll(): BabelLinkOutput | undefined {
    for (let output = this.#speaker.poll(); output !== undefined; output = this.#speaker.poll()) {
      const ours = this.#translate(output);
      if (ours !== undefined) return ours;
    }
    return undefined;
  }

  nextTimeout(): Millis | undefined {
    // Without neighbours there is nobody to say Hello to.
    return this.#neighbours.size === 0 ? undefined : this.#speaker.nextTimeout();
  }

  #translate(output: SpeakerOutput): BabelLinkOutput | undefined {
    switch (output.kind) {
      case 'send': {
        const to = output.to === 'multicast' ? undefined : this.#neighbours.get(formatAddress(output.to));
        return to && { kind: 'send', to, packet: output.packet };
      }
      case 'route-added':
      case 'route-changed': {
        const via = this.#neighbours.get(formatAddress(output.nextHop));
        return { kind: 'route', destination: output.prefix.address, metric: output.metric, ...(via && { via }) };
      }
      case 'route-unreachable':
      case 'route-removed':
        return { kind: 'route', destination: output.prefix.address, metric: INFINITE };
    }
  }

  /** Of a node that we know, under its own router-id, from itself or from somebody who relays. */
  #isBelieved({ prefix, routerId, neighbour }: Candidate): boolean {
    if (prefix.length !== 128 || routerId !== impliedRouterId(prefix.address)) return false;
    const node = this.#nodes.withAddress(prefix.address);
    const from = this.#neighbours.get(formatAddress(neighbour));
    if (node === undefined || from === undefined) return false;
    return node === from || from.description.capabilities.includes(RELAY_CAPABILITY);
  }
}

/** What a neighbour goes by in Babel, which knows link-local addresses only: `fe80::` and the last eight bytes. */
function linkLocalOf({ bytes }: IpAddress): IpAddress {
  return addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...bytes.subarray(8)));
}
