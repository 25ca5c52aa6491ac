/**
 * A node of the mesh: finds the others, exchanges signed descriptions with them, decides whom to trust, and keeps a
 * WireGuard peer for each. It sees datagrams and the device's state, and says what to send and what to configure.
 *
 * Outside the tunnel nothing is authenticated but descriptions, by their signature. Inside, WireGuard has
 * authenticated the sender, whose address names the node. Relays, hole punching and routes are not here.
 */
import {
  endpointsEqual,
  formatAddress,
  formatEndpoint,
  isLinkLocal,
  type Endpoint,
  type IpAddress,
} from '../inet/index.ts';
import { after, millis, seconds, TimerTable, type Machine, type Millis } from '../machine/index.ts';
import type { PeerState } from '../wireguard/configuration.ts';
import { isMeshAddress } from './address.ts';
import { Challenges } from './challenge.ts';
import { answerRequest, DescriptionExchange } from './description-exchange.ts';
import { readDescription } from './description.ts';
import { Discovery } from './discovery.ts';
import { toHex } from './hex.ts';
import { printableHostName } from './host-name.ts';
import { identityFromSeed } from './identity.ts';
import type { KnownNode } from './known-nodes.ts';
import { meshTag, readMessage, type Hello, type Message, type News } from './messages.ts';
import type { NodeInput, NodeOptions, NodeOutput, NodeStatus, NodeView } from './node-interface.ts';
import { Outbox } from './outbox.ts';
import { OwnDescription } from './own-description.ts';
import { RateLimit } from './rate-limit.ts';
import { Roster, type Origin } from './roster.ts';
import type { TunnelOutput } from './tunnel.ts';

/** Refreshes, expiries, and one random neighbour told what we know (anti-entropy). */
const HOUSEKEEPING_INTERVAL = seconds(30);
/** Between two descriptions of our own, so that an interface that flaps does not flood the mesh. */
const MIN_SIGN_INTERVAL = seconds(2);
/** The same while another machine seems to use our identity, or the two would outbid each other without end. */
const CONTESTED_SIGN_INTERVAL = seconds(60);

const UNDERLAY_RATES = {
  everybody: { perSecond: 400, burst: 800 },
  perSource: { perSecond: 20, burst: 60 },
  maxSources: 1024,
};
const UNDERLAY_EXCHANGE = { window: 4, perSource: 8, total: 64 };
const OVERLAY_EXCHANGE = { window: 16, perSource: 1024, total: 4096 };

export class MeshNode implements Machine<NodeInput, NodeOutput> {
  readonly nodeId: string;
  readonly address: IpAddress;
  readonly #options: NodeOptions;
  readonly #own: OwnDescription;
  readonly #tag: Uint8Array;
  readonly #challenges: Challenges;
  readonly #outbox: Outbox;
  readonly #roster: Roster;
  readonly #discovery: Discovery;
  readonly #underlayExchange: DescriptionExchange<Endpoint>;
  /** The sources are node ids. */
  readonly #overlayExchange: DescriptionExchange<string>;
  readonly #underlayLimit = new RateLimit(UNDERLAY_RATES);
  readonly #timers = new TimerTable<'sign' | 'housekeeping'>();
  #signedAt = millis(-Infinity);
  #adoptions = 0;
  #life: 'new' | 'running' | 'left' = 'new';

  constructor(options: NodeOptions) {
    const { meshName, wireGuardPublicKey, primitives, storedSequence, unixTime } = options;
    const identity = identityFromSeed(options.identitySeed, primitives);
    const self = { identity, meshName, wireGuardPublicKey, hostName: printableHostName(options.hostName) };
    this.#options = options;
    this.nodeId = identity.nodeId;
    this.address = identity.address;
    this.#tag = meshTag(meshName, primitives);
    this.#challenges = new Challenges(primitives);
    this.#outbox = new Outbox(this.#tag);
    this.#own = new OwnDescription(self, primitives, storedSequence, unixTime());
    this.#roster = new Roster(options.trust, () => this.#own.current, this.#nonce, this.#outbox);
    this.#commitOwn();
    const isLive = (nodeId: string) => nodeId === this.nodeId || this.#roster.nodes.get(nodeId)?.tunnel.state === 'up';
    this.#discovery = new Discovery(isLive, this.#chance);
    this.#underlayExchange = new DescriptionExchange(UNDERLAY_EXCHANGE, formatEndpoint, this.#nonce);
    this.#overlayExchange = new DescriptionExchange(OVERLAY_EXCHANGE, (nodeId) => nodeId, this.#nonce);
  }

  handle(input: NodeInput, now: Millis): void {
    if (this.#life === 'left') return;
    if (this.#life === 'new') this.#start(now);
    switch (input.kind) {
      case 'datagram':
        this.#handleDatagram(input.datagram, input.from, now);
        break;
      case 'tunnel-datagram':
        this.#handleTunnelDatagram(input.datagram, input.from, now);
        break;
      case 'links':
        this.#discovery.handleLinks(
          input.links.map(({ index }) => index),
          now,
        );
        break;
      case 'own-endpoints':
        if (this.#own.setEndpoints(input.endpoints)) this.#signSoon(MIN_SIGN_INTERVAL, now);
        break;
      case 'bootstrap':
        this.#discovery.handleBootstrap(input.endpoints, now);
        break;
      case 'peer-states':
        for (const peer of input.peers) this.#handlePeerState(peer, now);
        break;
      case 'leave':
        for (const node of this.#roster.nodes.live()) this.#outbox.tunnelSend({ kind: 'leave' }, node);
        this.#life = 'left';
        return;
    }
    this.#drain(now);
  }

  handleTimeout(now: Millis): void {
    if (this.#life !== 'running') return;
    for (let name = this.#timers.expired(now); name !== undefined; name = this.#timers.expired(now)) {
      if (name === 'sign') this.#sign(now);
      else this.#keepHouse(now);
    }
    this.#discovery.handleTimeout(now);
    this.#underlayExchange.handleTimeout(now);
    this.#overlayExchange.handleTimeout(now);
    for (const { tunnel } of this.#roster.nodes.values()) tunnel.handleTimeout(now);
    this.#drain(now);
  }

  poll(): NodeOutput | undefined {
    return this.#outbox.poll();
  }

  nextTimeout(): Millis | undefined {
    if (this.#life !== 'running') return undefined;
    const sources = [this.#discovery, this.#underlayExchange, this.#overlayExchange];
    const tunnels = this.#roster.nodes.values().map(({ tunnel }) => tunnel);
    const wanted = [...sources, ...tunnels].map((machine) => machine.nextTimeout() ?? Infinity);
    return millis(Math.min(this.#timers.next() ?? Infinity, ...wanted));
  }

  status(): NodeStatus {
    const { hostName, sequence, meshName } = this.#own.current;
    return {
      self: { nodeId: this.nodeId, address: this.address, hostName, meshName, sequence },
      nodes: this.#roster.nodes.values().map(viewOf),
      drops: this.#outbox.drops,
    };
  }

  #start(now: Millis): void {
    this.#life = 'running';
    this.#timers.set('housekeeping', after(now, HOUSEKEEPING_INTERVAL));
    this.#discovery.handleBootstrap(this.#options.bootstrap, now);
  }

  // Outside the tunnel

  #handleDatagram(datagram: Uint8Array, from: Endpoint, now: Millis): void {
    // A path to a node that leads through the tunnel to that node would be no path.
    if (isMeshAddress(from.address)) return this.#outbox.drop('underlay-inside-the-mesh');
    const message = readMessage(datagram, this.#tag);
    if (typeof message === 'string') return this.#outbox.drop(message);
    // Parts limit themselves: none is taken that was not asked for.
    if (message.kind === 'description-part') {
      const bytes = this.#underlayExchange.handlePart(message, from, now);
      return this.#handleFetched(bytes, message.nodeId, this.#directly(from), now);
    }
    if (!this.#underlayLimit.admits(sourceKey(from), now)) return this.#outbox.drop('rate-limited');
    if (message.kind === 'hello') return this.#handleHello(message, from, now);
    if (message.kind !== 'description-request') return this.#outbox.drop('message-only-inside');
    // Strangers get our own description and nobody else's: whoever knows a node's id must not learn from us where it is.
    const answer = message.nodeId === this.nodeId ? answerRequest(message, this.#own.current) : undefined;
    if (answer === undefined) return this.#outbox.drop('request-unanswerable');
    this.#outbox.send(answer, from);
  }

  #handleHello(hello: Hello, from: Endpoint, now: Millis): void {
    const { nodeId, sequence } = hello;
    const known = this.#roster.newest.sequenceOf(nodeId);
    const isNews = this.#roster.newest.isNews(hello);
    // Link-local addresses cannot be forged from afar; others have to echo our challenge.
    const proved = isLinkLocal(from.address) || this.#challenges.isEcho(hello.echo, from);
    const isUnsolicited = hello.echo === 0n;
    // A sequence number that went backwards: the node has lost its state, and learns it from our answer.
    if (hello.pleaseAnswer || (isUnsolicited && (isNews || sequence < known))) {
      const wantsProof =
        !proved && nodeId !== this.nodeId && (isNews || this.#roster.nodes.get(nodeId)?.tunnel.state !== 'up');
      this.#sendHello(from, { echo: hello.challenge, knownSequence: known, pleaseAnswer: wantsProof });
    }
    if (!proved) return;
    this.#discovery.handleAnswer(from, nodeId);
    this.#handleNewsOfSelf(nodeId === this.nodeId ? sequence : hello.knownSequence, now);
    if (nodeId === this.nodeId) return;
    if (isNews) this.#underlayExchange.fetch(nodeId, from, now);
    else this.#roster.nodes.get(nodeId)?.tunnel.handleHeard(from, now);
  }

  // Inside the tunnel

  #handleTunnelDatagram(datagram: Uint8Array, from: IpAddress, now: Millis): void {
    const node = this.#roster.nodes.withAddress(from);
    if (node === undefined) return this.#outbox.drop('tunnel-unknown-sender');
    const message = readMessage(datagram, this.#tag);
    if (typeof message === 'string') return this.#outbox.drop(message);
    const { nodeId } = node.description;
    if (message.kind === 'description-part') {
      const bytes = this.#overlayExchange.handlePart(message, nodeId, now);
      return this.#handleFetched(bytes, message.nodeId, { foundBy: 'gossip', neighbour: nodeId }, now);
    }
    if (!node.bucket.take(now)) return this.#outbox.drop('rate-limited');
    this.#handleTunnelMessage(message, node, now);
  }

  #handleTunnelMessage(message: Message, node: KnownNode, now: Millis): void {
    switch (message.kind) {
      case 'probe':
        this.#outbox.tunnelSend({ kind: 'probe-reply', nonce: message.nonce }, node);
        return node.tunnel.handleSession(now);
      case 'probe-reply':
        return node.tunnel.handleProbeReply(message.nonce, now) ? undefined : this.#outbox.drop('probe-reply-unasked');
      case 'announce':
        return this.#handleNews(message, node, now);
      case 'summary':
        for (const news of message.entries) this.#handleNews(news, node, now);
        // A node that has just started again tells little, and its neighbours may not have noticed that it was gone.
        if (message.pleaseAnswer) this.#sendSummaries(node, false);
        return;
      case 'leave':
        if (node.tunnel.state !== 'up') return;
        node.tunnel.handleLeave(now);
        return this.#outbox.event('left', node);
      case 'description-request': {
        const described =
          message.nodeId === this.nodeId ? this.#own.current : this.#roster.nodes.get(message.nodeId)?.description;
        const answer = described && answerRequest(message, described);
        return answer === undefined ? this.#outbox.drop('request-unanswerable') : this.#outbox.tunnelSend(answer, node);
      }
      case 'hello':
      case 'description-part':
        return this.#outbox.drop('message-only-outside');
    }
  }

  #handleNews(news: News, from: KnownNode, now: Millis): void {
    if (news.nodeId === this.nodeId) this.#handleNewsOfSelf(news.sequence, now);
    else if (this.#roster.newest.isNews(news)) this.#overlayExchange.fetch(news.nodeId, from.description.nodeId, now);
  }

  // Descriptions

  #handleFetched(bytes: Uint8Array | string | undefined, nodeId: string, origin: Origin, now: Millis): void {
    if (bytes === undefined) return;
    if (typeof bytes === 'string') return this.#outbox.drop(bytes);
    const { meshName, primitives, unixTime } = this.#options;
    const description = readDescription(bytes, meshName, primitives, unixTime());
    if (typeof description === 'string') return this.#outbox.drop(description);
    if (description.nodeId !== nodeId) return this.#outbox.drop('description-of-another-node');
    if (this.#roster.admit(description, origin, now) !== undefined) this.#flood(description, origin.neighbour);
  }

  /** How a node was found that told us of itself. */
  #directly(endpoint: Endpoint): Origin {
    if (isLinkLocal(endpoint.address)) return { foundBy: 'beacon', endpoint };
    return { foundBy: this.#discovery.isBootstrap(endpoint) ? 'bootstrap' : 'call', endpoint };
  }

  /** Tells every neighbour but the one who told us. */
  #flood({ nodeId, sequence }: News, neighbour?: string): void {
    for (const node of this.#roster.nodes.live()) {
      const to = node.description.nodeId;
      if (to !== nodeId && to !== neighbour) this.#outbox.tunnelSend({ kind: 'announce', nodeId, sequence }, node);
    }
  }

  // Our own description

  #handleNewsOfSelf(sequence: number, now: Millis): void {
    if (!this.#own.adopt(sequence, this.#options.unixTime())) return;
    if (this.#timers.isSet('sign')) return;
    // Once, an earlier life of ours whose state was lost; again and again, somebody else's life.
    const isContested = this.#adoptions > 0;
    this.#adoptions += 1;
    this.#signSoon(isContested ? CONTESTED_SIGN_INTERVAL : MIN_SIGN_INTERVAL, now);
    if (this.#adoptions !== 2) return;
    const self = { description: this.#own.current, endpoint: undefined, foundBy: 'beacon' } as const;
    this.#outbox.event('identity-contradiction', self, 'another machine seems to use our identity');
  }

  #signSoon(interval: Millis, now: Millis): void {
    this.#timers.set('sign', millis(Math.max(now, this.#signedAt + interval)));
  }

  #sign(now: Millis): void {
    this.#timers.stop('sign');
    this.#signedAt = now;
    this.#own.sign(this.#options.unixTime());
    this.#commitOwn();
    this.#flood(this.#own.current);
    if (this.#adoptions > 0) this.#discovery.hurry(now);
  }

  #commitOwn(): void {
    this.#roster.newest.accept(this.#own.current);
    this.#outbox.storeSequence(this.#own.current.sequence);
  }

  // The device and the clock

  #handlePeerState(peer: PeerState, now: Millis): void {
    const node = this.#roster.nodes.withKey(peer.publicKey);
    if (node === undefined) return;
    const { lastHandshakeAt, rxBytes, txBytes } = peer;
    const hasNewSession = lastHandshakeAt !== undefined && lastHandshakeAt !== node.traffic.lastHandshakeAt;
    node.endpoint = peer.endpoint ?? node.endpoint;
    node.traffic = { lastHandshakeAt, rxBytes, txBytes };
    if (hasNewSession) node.tunnel.handleSession(now);
  }

  #keepHouse(now: Millis): void {
    const unixNow = this.#options.unixTime();
    if (this.#own.mustRefresh(unixNow)) this.#sign(now);
    for (const node of this.#roster.nodes.values()) {
      if (node.description.expiresAt > unixNow) continue;
      this.#outbox.event('expired', node);
      this.#roster.remove(node);
    }
    const live = this.#roster.nodes.live();
    const neighbour = live[Math.floor(this.#chance() * live.length)];
    if (neighbour !== undefined) this.#sendSummaries(neighbour, true);
    this.#timers.set('housekeeping', after(now, HOUSEKEEPING_INTERVAL));
  }

  // What goes out

  #drain(now: Millis): void {
    for (const node of this.#roster.nodes.values()) {
      for (const output of drained(node.tunnel)) this.#handleTunnelOutput(output, node, now);
    }
    for (const output of drained(this.#discovery)) {
      if (output.kind === 'hello') this.#sendHello(output.to, CALL);
      else this.#outbox.beacon(this.#hello(BEACON), output.link);
    }
    for (const { message, to } of drained(this.#underlayExchange)) this.#outbox.send(message, to);
    for (const { message, to } of drained(this.#overlayExchange)) {
      const node = this.#roster.nodes.get(to);
      if (node !== undefined) this.#outbox.tunnelSend(message, node);
    }
  }

  #handleTunnelOutput(output: TunnelOutput, node: KnownNode, now: Millis): void {
    switch (output.kind) {
      case 'hello':
        return this.#sendHello(output.to, CALL);
      case 'endpoint': {
        const { endpoint } = output;
        if (node.endpoint !== undefined && endpointsEqual(node.endpoint, endpoint)) return;
        node.endpoint = endpoint;
        return this.#outbox.configure({ publicKey: node.description.wireGuardPublicKey, updateOnly: true, endpoint });
      }
      case 'probe':
        return this.#outbox.tunnelSend(output, node);
      case 'up':
        this.#outbox.event('tunnel-up', node);
        return this.#sendSummaries(node, true);
      case 'lost':
        this.#outbox.event('lost', node);
        return this.#discovery.handleLost(node.description.nodeId, now);
    }
  }

  /** One of the pages asks for an answer at most. */
  #sendSummaries(to: KnownNode, pleaseAnswer: boolean): void {
    for (const [page, entries] of this.#roster.newest.summaries().entries()) {
      this.#outbox.tunnelSend({ kind: 'summary', pleaseAnswer: pleaseAnswer && page === 0, entries }, to);
    }
  }

  #sendHello(to: Endpoint, call: Call): void {
    this.#outbox.send({ ...this.#hello(call), challenge: this.#challenges.challengeFor(to) }, to);
  }

  #hello(call: Call): Hello {
    return { kind: 'hello', nodeId: this.nodeId, sequence: this.#own.current.sequence, challenge: 0n, ...call };
  }

  readonly #nonce = (): bigint => {
    const bytes = this.#options.primitives.randomBytes(8);
    return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
  };

  /** From 0 to 1. */
  readonly #chance = (): number => {
    const bytes = this.#options.primitives.randomBytes(4);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
  };
}

type Call = Pick<Hello, 'echo' | 'knownSequence' | 'pleaseAnswer'>;

/** A Hello that answers none. */
const CALL: Call = { echo: 0n, knownSequence: 0, pleaseAnswer: true };
/** Nobody can be asked to echo what many receive, so a beacon carries no challenge. */
const BEACON: Call = { echo: 0n, knownSequence: 0, pleaseAnswer: false };

function* drained<Output>(machine: { poll(): Output | undefined }): Generator<Output> {
  for (let output = machine.poll(); output !== undefined; output = machine.poll()) yield output;
}

/** Who shares a rate: one address, or one /64 of IPv6, since that is what one host can have for nothing. */
function sourceKey({ address }: Endpoint): string {
  const isSubnet = address.family === 6 && !isLinkLocal(address);
  return isSubnet ? toHex(address.bytes.subarray(0, 8)) : formatAddress(address);
}

function viewOf({ description, endpoint, foundBy, tunnel, traffic }: KnownNode): NodeView {
  const { nodeId, address, hostName, wireGuardPublicKey, sequence } = description;
  return {
    ...{ nodeId, address, hostName, wireGuardPublicKey, sequence, endpoint, foundBy, ...traffic },
    candidates: tunnel.candidates.list(),
    state: tunnel.state,
    roundTripTime: tunnel.smoothedRtt,
  };
}
