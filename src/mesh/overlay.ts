/**
 * A node's words inside the tunnel, where WireGuard has authenticated who speaks: probes of direct paths, Babel between
 * neighbours, and gossip: new descriptions are flooded, and at intervals two neighbours compare all that they know.
 */
import type { IpAddress } from '../inet/index.ts';
import { after, millis, seconds, TimerTable, type Millis } from '../machine/index.ts';
import { answerRequest, DescriptionExchange } from './description-exchange.ts';
import { domain } from './domain.ts';
import { isDirect } from './endpoints.ts';
import type { HolePunching } from './hole-punching.ts';
import type { Imports } from './imports.ts';
import type { KnownNode } from './known-nodes.ts';
import { MessageAssembly } from './message-fragment.ts';
import { DIGEST_BYTES, readMessage, type Digest, type Message, type News } from './messages.ts';
import { drained, neighboursOf, type NodeContext } from './node-context.ts';
import type { PathMtus } from './path-mtu/index.ts';
import type { Paths } from './paths.ts';
import { TokenBucket } from './rate-limit.ts';
import type { Listener } from './underlay.ts';

/** To one node, of all that we know: 37 KiB at 1,024 nodes, for a digest of 28 bytes. Comparisons come twice a minute. */
const SUMMARIES = { perSecond: 0.1, burst: 6 };
/** How often one random neighbour is told what we know (anti-entropy). */
const COMPARE_INTERVAL = seconds(30);
const EXCHANGE = { window: 16, perSource: 1024, total: 4096 };

export class Overlay {
  readonly #context: NodeContext;
  readonly #paths: Paths;
  readonly #pathMtus: PathMtus;
  readonly #holePunching: HolePunching;
  readonly #imports: Imports;
  readonly #listener: Listener;
  /** The sources are node ids. */
  readonly #exchange: DescriptionExchange<string>;
  readonly #timers = new TimerTable<'compare'>();
  readonly #summaries = new WeakMap<KnownNode, TokenBucket>();
  readonly #assemblies = new WeakMap<KnownNode, MessageAssembly>();
  #cachedDigest: { readonly version: number; readonly digest: Uint8Array } | undefined;

  constructor(parts: {
    context: NodeContext;
    paths: Paths;
    pathMtus: PathMtus;
    holePunching: HolePunching;
    imports: Imports;
    listener: Listener;
  }) {
    const { context, paths, pathMtus, holePunching, imports, listener } = parts;
    this.#context = context;
    this.#paths = paths;
    this.#pathMtus = pathMtus;
    this.#holePunching = holePunching;
    this.#imports = imports;
    this.#listener = listener;
    this.#exchange = new DescriptionExchange(EXCHANGE, (nodeId) => nodeId, context.nonce);
  }

  start(now: Millis): void {
    this.#timers.set('compare', after(now, COMPARE_INTERVAL));
  }

  handleDatagram(datagram: Uint8Array, from: IpAddress, now: Millis): void {
    const { roster, outbox, tag } = this.#context;
    const node = roster.nodes.withAddress(from);
    if (node === undefined) return outbox.drop('tunnel-unknown-sender');
    const message = readMessage(datagram, tag);
    if (typeof message === 'string') return outbox.drop(message);
    node.account.earn(datagram.length);
    if (message.kind === 'fragment') {
      if (!node.bucket.take(now)) return outbox.drop('rate-limited');
      const whole = readWhole(this.#assemblyOf(node).take(message), tag);
      if (whole !== undefined) this.#take(whole, node, now);
    } else this.#take(message, node, now);
  }

  #take(message: Message, node: KnownNode, now: Millis): void {
    const { outbox } = this.#context;
    const { nodeId } = node.description;
    if (message.kind === 'description-part') {
      const bytes = this.#exchange.handlePart(message, nodeId, now);
      return this.#listener.handleFetched(bytes, message.nodeId, { foundBy: 'gossip', neighbour: nodeId }, now);
    }
    if (!node.bucket.take(now)) return outbox.drop('rate-limited');
    this.#handleMessage(message, node, now);
  }

  /** Tells every neighbour but the one who told us. */
  flood({ nodeId, sequence }: News, from?: string): void {
    for (const node of neighboursOf(this.#context)) {
      const to = node.description.nodeId;
      if (to === nodeId || to === from) continue;
      this.#context.outbox.tunnelSend({ kind: 'announce', nodeId, sequence }, node);
    }
  }

  /** Sees whether the node knows what we know. */
  compare(node: KnownNode): void {
    this.#context.outbox.tunnelSend({ kind: 'digest', digest: this.#digest() }, node);
  }

  handleTimeout(now: Millis): void {
    this.#exchange.handleTimeout(now);
    if (this.#timers.expired(now) === undefined) return;
    const neighbours = neighboursOf(this.#context);
    const neighbour = neighbours.at(Math.floor(this.#context.chance() * neighbours.length));
    if (neighbour !== undefined) this.compare(neighbour);
    this.#timers.set('compare', after(now, COMPARE_INTERVAL));
  }

  drain(): void {
    for (const { message, to } of drained(this.#exchange)) {
      const node = this.#context.roster.nodes.get(to);
      if (node !== undefined) this.#context.outbox.tunnelSend(message, node);
    }
  }

  nextTimeout(): Millis {
    return millis(Math.min(this.#timers.next() ?? Infinity, this.#exchange.nextTimeout() ?? Infinity));
  }

  #handleMessage(message: Message, node: KnownNode, now: Millis): void {
    const { outbox, neighbours } = this.#context;
    switch (message.kind) {
      case 'probe': {
        const isNeighbour = neighbours.handleProbe(node, message, now);
        this.#paths.review(node, now);
        const { nonce, wish } = message;
        const seenAt = isDirect(node.endpoint) ? node.endpoint : undefined;
        // Or it came directly, and the device knows that already.
        if (seenAt === undefined) outbox.askDevice(node);
        return outbox.tunnelSend({ kind: 'probe-reply', nonce, wish, isNeighbour, seenAt }, node);
      }
      case 'probe-reply':
        neighbours.handleProbeReply(node, message, now);
        // A relay that answers says nothing of the direct path, to which the other end or we have gone back from it.
        if (!isDirect(node.endpoint) || message.seenAt === undefined) return outbox.drop('probe-reply-relayed');
        if (!node.tunnel.handleProbeReply(message.nonce, now)) return outbox.drop('probe-reply-unasked');
        this.#paths.handleProbed(node, now);
        this.#holePunching.handleSeenAt(node, message.seenAt, now);
        return this.#paths.review(node, now);
      case 'babel':
      case 'seqno-statements':
      case 'seqno-question':
      case 'path-complaint':
        return this.#paths.handleMessage(message, node, now);
      case 'call':
        return this.#holePunching.handleCall(node, message, now);
      case 'echo-request':
        // Whoever asks has lost its direct path; ours would carry the reply nowhere, if it is lost as well.
        if (message.isOfLength !== true) node.tunnel.handleActive(now);
        return outbox.tunnelSend({ kind: 'echo-reply', nonce: message.nonce }, node);
      case 'echo-reply':
        if (this.#pathMtus.handleEcho(node, message.nonce, now)) return;
        if (!this.#paths.handleEcho(node, message.nonce, now)) this.#imports.handleEcho(node, message.nonce);
        return;
      case 'announce':
        return this.#handleNews(message, node, now);
      case 'digest':
        return this.#handleDigest(message, node, now);
      case 'summary':
        for (const news of message.entries) this.#handleNews(news, node, now);
        if (message.pleaseAnswer) this.#sendSummaries(node, false, now);
        return;
      case 'leave':
        if (!node.tunnel.isUp) return;
        neighbours.handleLeave(node, now);
        outbox.event('left', node);
        return this.#paths.review(node, now);
      case 'description-request': {
        const answer = this.#answerTo(message);
        return answer === undefined ? outbox.drop('request-unanswerable') : outbox.tunnelSend(answer, node);
      }
      case 'hello':
      case 'description-part':
        return outbox.drop('message-only-outside');
      case 'fragment':
        return outbox.drop('message-malformed');
    }
  }

  #assemblyOf(node: KnownNode): MessageAssembly {
    const assembly = this.#assemblies.get(node) ?? new MessageAssembly();
    this.#assemblies.set(node, assembly);
    return assembly;
  }

  #answerTo(request: Message & { kind: 'description-request' }) {
    const { roster, own, nodeId } = this.#context;
    const described = request.nodeId === nodeId ? own.current : roster.nodes.get(request.nodeId)?.description;
    return described && answerRequest(request, described);
  }

  #handleNews(news: News, from: KnownNode, now: Millis): void {
    const { roster, nodeId } = this.#context;
    if (news.nodeId === nodeId) this.#listener.handleNewsOfSelf(news.sequence, now);
    else if (roster.newest.isNews(news)) {
      if (roster.mayBeAsked(news.nodeId, now)) this.#exchange.fetch(news.nodeId, from.description.nodeId, now);
    } else if (roster.vouch(news, from.description.nodeId, now)) this.flood(news, from.description.nodeId);
  }

  #handleDigest({ digest }: Digest, from: KnownNode, now: Millis): void {
    const own = this.#digest();
    if (digest.some((byte, i) => byte !== own[i])) this.#sendSummaries(from, true, now);
  }

  /** One of the pages asks for an answer at most. */
  #sendSummaries(to: KnownNode, pleaseAnswer: boolean, now: Millis): void {
    const bucket = this.#summaries.get(to) ?? new TokenBucket(SUMMARIES);
    this.#summaries.set(to, bucket);
    if (!bucket.take(now)) return this.#context.outbox.drop('summary-rate-limited');
    for (const [page, entries] of this.#context.roster.newest.summaries().entries()) {
      this.#context.outbox.tunnelSend({ kind: 'summary', pleaseAnswer: pleaseAnswer && page === 0, entries }, to);
    }
  }

  /** Made anew when what we know has changed: sorting and hashing a thousand nodes takes milliseconds. */
  #digest(): Uint8Array {
    const { options, roster } = this.#context;
    const { version } = roster.newest;
    if (this.#cachedDigest?.version !== version) {
      const digest = options.primitives.sha224(domain(roster.newest.list())).subarray(0, DIGEST_BYTES);
      this.#cachedDigest = { version, digest };
    }
    return this.#cachedDigest.digest;
  }
}

/** What fragments made up, unless it is none of ours. */
function readWhole(datagram: Uint8Array | undefined, tag: Uint8Array): Message | undefined {
  const message = datagram && readMessage(datagram, tag);
  return typeof message === 'string' ? undefined : message;
}
