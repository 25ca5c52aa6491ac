/**
 * A node's words outside the tunnel: beacons and Hellos, and the descriptions of those who answer. Nobody is authenticated
 * here but descriptions, by their signature.
 */
import { formatAddress, formatEndpoint, isLinkLocal, type Endpoint } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { isMeshAddress } from './address.ts';
import { Challenges } from './challenge.ts';
import { answerRequest, DescriptionExchange } from './description-exchange.ts';
import { Discovery } from './discovery.ts';
import { toHex } from './hex.ts';
import { readMessage, type Hello } from './messages.ts';
import { drained, type NodeContext } from './node-context.ts';
import { RateLimit } from './rate-limit.ts';
import type { Origin } from './roster.ts';

const RATES = {
  everybody: { perSecond: 400, burst: 800 },
  perSource: { perSecond: 20, burst: 60 },
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
}

export class Underlay {
  readonly discovery: Discovery;
  readonly #context: NodeContext;
  readonly #listener: Listener;
  readonly #challenges: Challenges;
  readonly #exchange: DescriptionExchange<Endpoint>;
  readonly #limit = new RateLimit(RATES);

  constructor(context: NodeContext, listener: Listener) {
    const { nodeId, roster, nonce, chance, options } = context;
    this.#context = context;
    this.#listener = listener;
    this.#challenges = new Challenges(options.primitives);
    this.#exchange = new DescriptionExchange(EXCHANGE, formatEndpoint, nonce);
    this.discovery = new Discovery((id) => id === nodeId || roster.nodes.get(id)?.tunnel.isUp === true, chance);
  }

  handleDatagram(datagram: Uint8Array, from: Endpoint, now: Millis): void {
    const { outbox, own, nodeId, tag } = this.#context;
    // A path to a node that leads through the tunnel to that node would be no path.
    if (isMeshAddress(from.address)) return outbox.drop('underlay-inside-the-mesh');
    const message = readMessage(datagram, tag);
    if (typeof message === 'string') return outbox.drop(message);
    // Parts limit themselves: none is taken that was not asked for.
    if (message.kind === 'description-part') {
      const bytes = this.#exchange.handlePart(message, from, now);
      return this.#listener.handleFetched(bytes, message.nodeId, this.#directly(from), now);
    }
    if (!this.#limit.admits(sourceKey(from), now)) return outbox.drop('rate-limited');
    if (message.kind === 'hello') return this.#handleHello(message, from, now);
    if (message.kind !== 'description-request') return outbox.drop('message-only-inside');
    // Strangers get our own description and nobody else's: whoever knows a node's id must not learn from us where it is.
    const answer = message.nodeId === nodeId ? answerRequest(message, own.current) : undefined;
    if (answer === undefined) return outbox.drop('request-unanswerable');
    outbox.send(answer, from);
  }

  call(to: Endpoint): void {
    this.#sendHello(to, CALL);
  }

  handleTimeout(now: Millis): void {
    this.discovery.handleTimeout(now);
    this.#exchange.handleTimeout(now);
  }

  drain(): void {
    const { outbox } = this.#context;
    for (const output of drained(this.discovery)) {
      if (output.kind === 'hello') this.call(output.to);
      else outbox.beacon(this.#hello(BEACON), output.link);
    }
    for (const { message, to } of drained(this.#exchange)) outbox.send(message, to);
  }

  nextTimeout(): Millis {
    return millis(Math.min(this.discovery.nextTimeout() ?? Infinity, this.#exchange.nextTimeout() ?? Infinity));
  }

  #handleHello(hello: Hello, from: Endpoint, now: Millis): void {
    const { roster, neighbours, nodeId: own } = this.#context;
    const { nodeId, sequence } = hello;
    const known = roster.newest.sequenceOf(nodeId);
    const isNews = roster.newest.isNews(hello);
    const isAnswer = this.#challenges.isEcho(hello.echo, from);
    // Link-local addresses cannot be forged from afar; others have to echo our challenge.
    const proved = isLinkLocal(from.address) || isAnswer;
    const isUnsolicited = hello.echo === 0n;
    // A sequence number that went backwards: the node has lost its state, and learns it from our answer.
    if (hello.pleaseAnswer || (isUnsolicited && (isNews || sequence < known))) {
      const wantsProof = !proved && nodeId !== own && (isNews || roster.nodes.get(nodeId)?.tunnel.isUp !== true);
      this.#sendHello(from, { echo: hello.challenge, knownSequence: known, pleaseAnswer: wantsProof });
    }
    if (!proved) return;
    this.discovery.handleAnswer(from, nodeId);
    this.#listener.handleNewsOfSelf(nodeId === own ? sequence : hello.knownSequence, now);
    if (nodeId === own) return;
    if (isNews) return this.#exchange.fetch(nodeId, from, now);
    const node = roster.nodes.get(nodeId);
    if (node !== undefined) neighbours.handleHeard(node, from, isAnswer, now);
  }

  /** How a node was found that told us of itself. */
  #directly(endpoint: Endpoint): Origin {
    if (isLinkLocal(endpoint.address)) return { foundBy: 'beacon', endpoint };
    return { foundBy: this.discovery.isBootstrap(endpoint) ? 'bootstrap' : 'call', endpoint };
  }

  #sendHello(to: Endpoint, call: Call): void {
    this.#context.outbox.send({ ...this.#hello(call), challenge: this.#challenges.challengeFor(to) }, to);
  }

  #hello(call: Call): Hello {
    const { nodeId, own } = this.#context;
    return { kind: 'hello', nodeId, sequence: own.current.sequence, challenge: 0n, ...call };
  }
}

/** Who shares a rate: one address, or one /64 of IPv6, since that is what one host can have for nothing. */
function sourceKey({ address }: Endpoint): string {
  const isSubnet = address.family === 6 && !isLinkLocal(address);
  return isSubnet ? toHex(address.bytes.subarray(0, 8)) : formatAddress(address);
}
