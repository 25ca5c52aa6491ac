/**
 * Babel between the neighbours of a mesh (docs/decisions/0017-babel-inside-the-mesh.md): one interface without multicast,
 * on which each neighbour goes by a link-local address made of its mesh address. Each node announces its own address, and
 * nothing else is believed; nor is a seqno that the node has not signed. What it has signed goes ahead of the first packet
 * that needs it, and whoever misses it asks (docs/decisions/0028-signed-seqnos.md).
 */
import {
  DEFAULT_RTT_COST,
  impliedRouterId,
  INFINITE,
  isSeqnoLess,
  readPacket,
  Speaker,
  type Belief,
  type Candidate,
  type InterfaceOptions,
  type RouterId,
  type SpeakerOutput,
} from '../babel/index.ts';
import { addressesEqual, addressFromBytes, formatAddress, prefixOf, type IpAddress } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { AttestedSeqnos } from './attested-seqnos.ts';
import type { KnownNode, KnownNodes } from './known-nodes.ts';
import { MAX_BABEL_BYTES } from './messages.ts';
import type { SeqnoStatement } from './seqno-statement.ts';

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
  // Round trips are measured by probes, many in a second on a path in use, not by Hellos.
  smoothingTime: seconds(4),
  updateInterval: seconds(300),
  urgentTimeout: millis(5),
};

/** What is missing is asked for at once, and again so long after, doubled each time. */
const ASK_AGAIN_AFTER = seconds(1);
const MAX_QUESTIONS = 5;

export interface BabelLinkOptions {
  readonly nodeId: string;
  readonly address: IpAddress;
  readonly nodes: KnownNodes;
  readonly seqnos: AttestedSeqnos;
  /** Whether what the neighbour says of ways to the node is to be ignored for now. */
  readonly isDistrusted: (neighbour: KnownNode, destination: KnownNode) => boolean;
  readonly chance: () => number;
}

/** That a neighbour has announced a node with a seqno which the node has not signed, as far as we know. */
interface Missing {
  askAt: Millis;
  questions: number;
}

interface Neighbour {
  readonly node: KnownNode;
  /** When what was issued that it has from us, or we from it, by node id. */
  readonly told: Map<string, number>;
  /** By node id. */
  readonly missing: Map<string, Missing>;
}

export type BabelLinkOutput =
  | { readonly kind: 'send'; readonly to: KnownNode; readonly packet: Uint8Array }
  /** These go before the packet that is next. */
  | { readonly kind: 'tell'; readonly to: KnownNode; readonly statements: readonly SeqnoStatement[] }
  | { readonly kind: 'ask'; readonly to: KnownNode; readonly nodeId: string }
  /** The way to `destination`; `via` is left out where there is none. */
  | { readonly kind: 'route'; readonly destination: IpAddress; readonly via?: KnownNode; readonly metric: number };

export class BabelLink {
  readonly #options: BabelLinkOptions;
  readonly #nodes: KnownNodes;
  readonly #speaker: Speaker;
  readonly #filter = (candidate: Candidate): Belief => this.#beliefIn(candidate);
  /** By link-local address. */
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #output: BabelLinkOutput[] = [];
  #isStarted = false;
  readonly #address: IpAddress;

  constructor(options: BabelLinkOptions) {
    const { address, nodes, chance, seqnos } = options;
    this.#options = options;
    this.#address = address;
    this.#nodes = nodes;
    // Only zeros or only ones give no router-id; nobody comes upon such an address by chance.
    const routerId = impliedRouterId(address) as RouterId;
    this.#speaker = new Speaker({ routerId, seqno: seqnos.first(), chance, filter: this.#filter });
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
    this.#neighbours.set(key, { node, told: new Map(), missing: new Map() });
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

  /** The ways of the node are to be judged anew: over some of them nothing arrives, or it is time to see again. */
  handleTrust({ description }: KnownNode, now: Millis): void {
    const prefix = prefixOf(description.address, 128);
    this.#speaker.review(prefix, now);
    this.#speaker.request(prefix, now);
  }

  /** The neighbours that announce a way to the node, feasible or not. */
  nextHops({ description }: KnownNode): KnownNode[] {
    return this.#speaker.routes(prefixOf(description.address, 128)).flatMap(({ metric, neighbour }) => {
      const via = this.#neighbours.get(formatAddress(neighbour))?.node;
      return metric >= INFINITE || via === undefined ? [] : [via];
    });
  }

  /** The node has signed another seqno; the neighbour `from` knows. */
  handleAttested({ description }: KnownNode, { seqno, issuedAt }: SeqnoStatement, from: KnownNode, now: Millis): void {
    const { address, nodeId } = description;
    const prefix = prefixOf(address, 128);
    const routerId = impliedRouterId(address);
    this.#neighbourOf(from)?.told.set(nodeId, issuedAt);
    if (routerId !== undefined) this.#speaker.limitSeqno(prefix, routerId, seqno, now);
    for (const { node, missing } of this.#neighbours.values()) {
      if (missing.delete(nodeId)) this.#speaker.request(prefix, now, linkLocalOf(node.description.address));
    }
  }

  handleQuestion(from: KnownNode, nodeId: string): void {
    const neighbour = this.#neighbourOf(from);
    if (neighbour === undefined) return;
    neighbour.told.delete(nodeId);
    this.#tell(neighbour, [nodeId]);
  }

  /** The neighbour says of itself what is older than what we know. */
  handleStale(from: KnownNode, { nodeId, issuedAt }: SeqnoStatement): void {
    if (this.#options.seqnos.get(nodeId)?.issuedAt !== issuedAt) this.handleQuestion(from, nodeId);
  }

  handleForgotten({ description }: KnownNode): void {
    for (const { told, missing } of this.#neighbours.values()) {
      told.delete(description.nodeId);
      missing.delete(description.nodeId);
    }
  }

  handlePacket({ description }: KnownNode, packet: Uint8Array, now: Millis): void {
    const from = linkLocalOf(description.address);
    // Whoever asks for a route may have ignored what we sent, of a node that it did not know.
    for (const tlv of readPacket(packet, from)?.tlvs ?? []) {
      if (tlv.kind !== 'route-request' || tlv.prefix === undefined) continue;
      const nodeId = this.#nodeIdOf(tlv.prefix.address);
      if (nodeId !== undefined) this.#neighbours.get(formatAddress(from))?.told.delete(nodeId);
    }
    this.#speaker.handlePacket(INTERFACE, from, packet, now);
    this.#ask(now);
  }

  drops(): ReadonlyMap<string, number> {
    return this.#speaker.drops;
  }

  handleTimeout(now: Millis): void {
    if (!this.#isStarted) return;
    this.#speaker.handleTimeout(now);
    this.#ask(now);
  }

  poll(): BabelLinkOutput | undefined {
    this.#options.seqnos.attest(this.#speaker.seqno);
    while (this.#output.length === 0) {
      const output = this.#speaker.poll();
      if (output === undefined) return undefined;
      if (output.kind === 'send') this.#send(output);
      else this.#output.push(this.#routeOf(output));
    }
    return this.#output.shift();
  }

  nextTimeout(): Millis | undefined {
    // Without neighbours there is nobody to say Hello to.
    if (this.#neighbours.size === 0) return undefined;
    let next: number = this.#speaker.nextTimeout() ?? Infinity;
    for (const { missing } of this.#neighbours.values()) {
      for (const { askAt } of missing.values()) next = Math.min(next, askAt);
    }
    return next === Infinity ? undefined : millis(next);
  }

  #send({ to, packet }: SpeakerOutput & { kind: 'send' }): void {
    const neighbour = to === 'multicast' ? undefined : this.#neighbours.get(formatAddress(to));
    if (neighbour === undefined) return;
    const { tlvs } = readPacket(packet, linkLocalOf(this.#address)) ?? { tlvs: [] };
    const nodeIds = tlvs.flatMap((tlv) => (tlv.kind === 'update' ? (this.#nodeIdOf(tlv.prefix.address) ?? []) : []));
    this.#tell(neighbour, nodeIds);
    this.#output.push({ kind: 'send', to: neighbour.node, packet });
  }

  #routeOf(output: Exclude<SpeakerOutput, { kind: 'send' }>): BabelLinkOutput {
    switch (output.kind) {
      case 'route-added':
      case 'route-changed': {
        const via = this.#neighbours.get(formatAddress(output.nextHop))?.node;
        return { kind: 'route', destination: output.prefix.address, metric: output.metric, ...(via && { via }) };
      }
      case 'route-unreachable':
      case 'route-removed':
        return { kind: 'route', destination: output.prefix.address, metric: INFINITE };
    }
  }

  /**
   * Of a node that we know, under its own router-id, with a seqno that it has signed, from itself or from somebody who
   * relays and whose ways to it have not failed.
   */
  #beliefIn({ prefix, routerId, seqno, neighbour }: Candidate): Belief {
    if (prefix.length !== 128 || routerId !== impliedRouterId(prefix.address)) return false;
    const node = this.#nodes.withAddress(prefix.address);
    const from = this.#neighbours.get(formatAddress(neighbour));
    if (node === undefined || from === undefined) return false;
    if (node !== from.node && !from.node.description.capabilities.includes(RELAY_CAPABILITY)) return false;
    if (this.#options.isDistrusted(from.node, node)) return false;
    const { nodeId } = node.description;
    const signed = this.#options.seqnos.get(nodeId);
    if (signed !== undefined && !isSeqnoLess(signed.seqno, seqno)) return true;
    if (!from.missing.has(nodeId)) from.missing.set(nodeId, { askAt: millis(-Infinity), questions: 0 });
    return 'later';
  }

  /** What the neighbour has not got yet. */
  #tell({ node, told }: Neighbour, nodeIds: readonly string[]): void {
    const statements = nodeIds.flatMap((nodeId) => {
      const newest = this.#options.seqnos.get(nodeId);
      return newest === undefined || (told.get(nodeId) ?? -1) >= newest.issuedAt ? [] : [newest];
    });
    for (const { nodeId, issuedAt } of statements) told.set(nodeId, issuedAt);
    if (statements.length > 0) this.#output.push({ kind: 'tell', to: node, statements });
  }

  /** Asks for what is missing. What never comes is not asked for again before a while has passed. */
  #ask(now: Millis): void {
    for (const { node: to, missing } of this.#neighbours.values()) {
      for (const [nodeId, entry] of missing) {
        if (entry.askAt > now) continue;
        if (entry.questions >= MAX_QUESTIONS) {
          missing.delete(nodeId);
          continue;
        }
        this.#output.push({ kind: 'ask', to, nodeId });
        entry.askAt = after(now, millis(ASK_AGAIN_AFTER * 2 ** entry.questions));
        entry.questions += 1;
      }
    }
  }

  #neighbourOf({ description }: KnownNode): Neighbour | undefined {
    return this.#neighbours.get(formatAddress(linkLocalOf(description.address)));
  }

  #nodeIdOf(address: IpAddress): string | undefined {
    if (addressesEqual(address, this.#address)) return this.#options.nodeId;
    return this.#nodes.withAddress(address)?.description.nodeId;
  }
}

/** What a neighbour goes by in Babel, which knows link-local addresses only: `fe80::` and the last eight bytes. */
function linkLocalOf({ bytes }: IpAddress): IpAddress {
  return addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...bytes.subarray(8)));
}
