/**
 * A node's words outside the tunnel: beacons and Hellos, and the descriptions of those who answer. Nobody is authenticated
 * here but descriptions, by their signature.
 */
import { addressesEqual, formatEndpoint, isLinkLocal, type Endpoint, type IpAddress } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { isMeshAddress } from './address.ts';
import { Challenges } from './challenge.ts';
import { answerRequest, DescriptionExchange } from './description-exchange.ts';
import { Discovery } from './discovery.ts';
import { isStraight } from './hello-target.ts';
import type { KnownNode } from './known-nodes.ts';
import { NO_SIGNATURE, readMessage, signedPartOfHello, writeMessage, type Hello } from './messages.ts';
import { drained, type NodeContext } from './node-context.ts';
import type { OwnLink } from './node-interface.ts';
import { RateLimit } from './rate-limit.ts';
import type { Origin } from './roster.ts';
import { sourceKey } from './standing.ts';
import { Targets, UnprovedAddresses, type HostAddress } from './unproved/index.ts';

const RATES = {
  everybody: { perSecond: 400, burst: 800 },
  perSource: { perSecond: 20, burst: 60 },
  maxSources: 1024,
};
/** To be made, or looked at: each costs some 100 µs of CPU. As many again are kept for who is known. */
const SIGNATURES = {
  everybody: { perSecond: 100, burst: 200 },
  perSource: { perSecond: 10, burst: 40 },
  maxSources: 1024,
};
const EXCHANGE = { window: 4, perSource: 8, total: 64 };

type Call = Pick<Hello, 'echo' | 'knownSequence' | 'pleaseAnswer'>;

/** A Hello that answers none. */
const CALL: Call = { echo: 0n, knownSequence: 0, pleaseAnswer: true };
/** Nobody can be asked to echo what many receive, so a beacon carries no challenge. */
const BEACON: Call = { echo: 0n, knownSequence: 0, pleaseAnswer: false };

/** What is heard of other nodes and of ourselves. */
export interface Listener {
  handleFetched(bytes: Uint8Array | string | undefined, nodeId: string, origin: Origin, now: Millis): void;
  handleNewsOfSelf(sequence: number, now: Millis): void;
  /** Where authenticated nodes see us. */
  reflexiveEndpoints(now: Millis): readonly Endpoint[];
  /** Whether the node has said, in its description or inside the tunnel, that it is to be reached there. */
  isToldBy(node: KnownNode, endpoint: Endpoint): boolean;
}

export class Underlay {
  readonly discovery: Discovery;
  readonly #context: NodeContext;
  readonly #listener: Listener;
  readonly #challenges: Challenges;
  readonly #exchange: DescriptionExchange<Endpoint>;
  readonly #limit = new RateLimit(RATES);
  readonly #made = new RateLimit(SIGNATURES);
  readonly #lookedAt = new RateLimit(SIGNATURES);
  readonly #unproved = new UnprovedAddresses();
  readonly #targets: Targets;
  /** By index of the link. */
  readonly #linkAddresses = new Map<number, readonly IpAddress[]>();

  constructor(context: NodeContext, listener: Listener) {
    const { nodeId, roster, nonce, chance, options, own } = context;
    this.#context = context;
    this.#listener = listener;
    this.#challenges = new Challenges(options.primitives);
    this.#targets = new Targets((port) => own.current.endpoints.some(({ endpoint }) => endpoint.port === port));
    this.#exchange = new DescriptionExchange(EXCHANGE, formatEndpoint, nonce);
    const isLive = (id: string) => id === nodeId || roster.nodes.get(id)?.tunnel.isUp === true;
    const isAlone = () => !roster.nodes.values().some(({ tunnel }) => tunnel.isUp);
    this.discovery = new Discovery(isLive, isAlone, chance);
  }

  handleDatagram(datagram: Uint8Array, from: Endpoint, now: Millis): void {
    const { outbox, own, nodeId, tag, silence } = this.#context;
    // A path to a node that leads through the tunnel to that node would be no path.
    if (isMeshAddress(from.address)) return outbox.drop('underlay-inside-the-mesh');
    const message = readMessage(datagram, tag);
    if (typeof message === 'string') {
      silence.handleDropped(message, from, now);
      return outbox.drop(message);
    }
    // Parts limit themselves: none is taken that was not asked for.
    if (message.kind === 'description-part') {
      const bytes = this.#exchange.handlePart(message, from, now);
      return this.#listener.handleFetched(bytes, message.nodeId, this.#directly(from), now);
    }
    if (!this.#admits(this.#limit, from, now)) return outbox.drop('rate-limited');
    if (message.kind === 'hello') return this.#handleHello(message, datagram, from, now);
    if (message.kind !== 'description-request') return outbox.drop('message-only-inside');
    // Strangers get our own description and nobody else's: whoever knows a node's id must not learn from us where it is.
    const answer = message.nodeId === nodeId ? answerRequest(message, own.current) : undefined;
    if (answer === undefined) return outbox.drop('request-unanswerable');
    outbox.send(answer, from);
  }

  /** Asks who is at `to`, where the administrator has a node, or who is there has just answered. */
  call(to: Endpoint, now: Millis): void {
    this.#sendHello(to, CALL, now);
  }

  /** The same where `by` is or says that it is. */
  callUnproved(to: Endpoint, by: KnownNode, now: Millis): void {
    // Nobody can name these: the node has answered there, or the administrator has said that somebody does.
    const isKnown = isLinkLocal(to.address) || this.discovery.isBootstrap(to);
    if (isKnown) return this.#sendHello(to, CALL, now);
    const { outbox } = this.#context;
    if (!by.tunnel.candidates.hasHeardFrom(to, now) && this.#targets.refuses(to)) return outbox.drop('target-refused');
    if (!this.#unproved.admits(to, by, now)) return outbox.drop('address-unproved');
    this.#sendHello(to, CALL, now);
  }

  handleHost(addresses: readonly HostAddress[]): void {
    this.#targets.handleHost(addresses);
  }

  handleLinks(links: readonly OwnLink[], now: Millis): void {
    this.#linkAddresses.clear();
    for (const { index, addresses } of links) this.#linkAddresses.set(index, addresses);
    const indices = links.map(({ index }) => index);
    this.discovery.handleLinks(indices, now);
    this.#context.silence.handleLinks(indices, now);
  }

  handleTimeout(now: Millis): void {
    this.discovery.handleTimeout(now);
    this.#exchange.handleTimeout(now);
  }

  drain(now: Millis): void {
    const { outbox } = this.#context;
    for (const output of drained(this.discovery)) {
      if (output.kind === 'hello') this.call(output.to, now);
      else if (output.kind === 'beacon') outbox.beacon(this.#hello(BEACON), output.link);
      else outbox.bootstrap(output.endpoint, output.state);
    }
    for (const { message, to } of drained(this.#exchange)) outbox.send(message, to);
  }

  nextTimeout(): Millis {
    return millis(Math.min(this.discovery.nextTimeout() ?? Infinity, this.#exchange.nextTimeout() ?? Infinity));
  }

  #handleHello(hello: Hello, datagram: Uint8Array, from: Endpoint, now: Millis): void {
    const { roster, nodeId: own, outbox, silence } = this.#context;
    const { nodeId, sequence } = hello;
    if (nodeId === own && this.#isOwnAddress(from)) return silence.handleOwnBeacon(from.scopeId);
    silence.handleHeard();
    const known = roster.newest.leastOf(nodeId);
    const isNews = roster.newest.isNews(hello);
    const isAnswer = this.#challenges.isEcho(hello.echo, from, now);
    const isUnsolicited = hello.echo === 0n;
    const node = roster.nodes.get(nodeId);
    // What is not signed moves nothing. It is a reason to ask, at an address that has not shown yet whose it is.
    const isFamiliar = node?.tunnel.candidates.hasHeardFrom(from, now) === true;
    const isLookedFor = node?.tunnel.state === 'lost' || node?.tunnel.state === 'trying';
    const isQuiet = node?.tunnel.isUp === true || (isFamiliar && !isLookedFor);
    const wantsProof = !isAnswer && nodeId !== own && (isNews || !isQuiet);
    // A sequence number that went backwards: the node has lost its state, and learns it from our answer.
    if (hello.pleaseAnswer || (isUnsolicited && (isNews || sequence < known || wantsProof))) {
      this.#sendHello(from, { echo: hello.challenge, knownSequence: known, pleaseAnswer: wantsProof }, now);
      if (wantsProof) silence.handleAsked(from, now);
    }
    if (!isAnswer) {
      if (node !== undefined && !isNews && isFamiliar) this.#context.neighbours.handleUnsigned(node, from, now);
      return;
    }
    this.discovery.handleAnswer(from, nodeId, nodeId === own);
    silence.handleAnswered(from);
    if (isNews && nodeId !== own && roster.isWorthAsking(nodeId, from, now)) this.#exchange.fetch(nodeId, from, now);
    const signer = nodeId === own ? this.#context.own.current : node?.description;
    if (signer === undefined) return;
    if (!this.#admits(this.#lookedAt, from, now)) return outbox.drop('hello-signature-unread');
    if (!this.#isSigned(hello, datagram, signer.identityKey)) return outbox.drop('hello-wrong-signature');
    if (node === undefined) this.#listener.handleNewsOfSelf(sequence, now);
    else this.#handleProved(node, hello, from, now);
  }

  /** The node itself answers at `from`, and hears us there. */
  #handleProved(node: KnownNode, hello: Hello, from: Endpoint, now: Millis): void {
    const { outbox, own, neighbours, silence } = this.#context;
    silence.handleProved(node, now);
    this.#listener.handleNewsOfSelf(hello.knownSequence, now);
    const place = {
      endpoints: own.current.endpoints.map(({ endpoint }) => endpoint),
      linkAddresses: this.#linkAddresses,
      reflexive: this.#listener.reflexiveEndpoints(now),
    };
    const isNamed = this.discovery.isCalled(from) || this.#listener.isToldBy(node, from);
    if (!isStraight(from, hello.target, place, isNamed)) return outbox.drop('hello-redirected');
    for (const limit of [this.#limit, this.#made, this.#lookedAt]) limit.prefer(sourceKey(from), now);
    this.#unproved.handleProved(from, now);
    neighbours.handleHeard(node, from, now);
  }

  #admits(limit: RateLimit, endpoint: Endpoint, now: Millis): boolean {
    return limit.admits(sourceKey(endpoint), now, this.discovery.isBootstrap(endpoint));
  }

  /** The kernel gives what we send to a group of the link to ourselves, too. */
  #isOwnAddress({ address, scopeId }: Endpoint): boolean {
    return this.#linkAddresses.get(scopeId)?.some((own) => addressesEqual(own, address)) === true;
  }

  #isSigned({ signature }: Hello, datagram: Uint8Array, identityKey: Uint8Array): boolean {
    return this.#context.options.primitives.verify(identityKey, signedPartOfHello(datagram), signature);
  }

  /** How a node was found that told us of itself. */
  #directly(endpoint: Endpoint): Origin {
    if (isLinkLocal(endpoint.address)) return { foundBy: 'beacon', endpoint };
    if (this.discovery.isFormer(endpoint)) return { foundBy: 'memory', endpoint };
    return { foundBy: this.discovery.isBootstrap(endpoint) ? 'bootstrap' : 'call', endpoint };
  }

  #sendHello(to: Endpoint, call: Call, now: Millis): void {
    const { outbox, options, tag, own } = this.#context;
    const challenge = this.#challenges.challengeFor(to, now);
    // Who was asked nothing need not prove anything.
    const isSigned = call.echo !== 0n && this.#admits(this.#made, to, now);
    if (!isSigned) return outbox.send({ ...this.#hello(call), challenge }, to);
    const hello = { ...this.#hello(call), challenge, target: to };
    const message = signedPartOfHello(writeMessage(hello, tag));
    outbox.send({ ...hello, signature: options.primitives.sign(own.identity.seed, message) }, to);
  }

  #hello(call: Call): Hello {
    const { nodeId, own } = this.#context;
    const unsigned = { challenge: 0n, target: undefined, signature: NO_SIGNATURE };
    return { kind: 'hello', nodeId, sequence: own.current.sequence, ...unsigned, ...call };
  }
}
