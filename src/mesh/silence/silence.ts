/**
 * Finds out why a network stays silent: a firewall, another mesh name, a node that does not trust us. Each cause is told
 * within ten seconds, once. It changes nothing of what the node does.
 */
import { formatEndpoint, type Endpoint } from '../../inet/index.ts';
import { after, millis, seconds, type Millis } from '../../machine/index.ts';
import type { KnownNode } from '../known-nodes.ts';
import { TokenBucket } from '../rate-limit.ts';
import { Foreigners } from './foreigners.ts';
import type { Notice } from './notice.ts';

/** Three beacons have gone out by then. */
const DEAF_AFTER = seconds(5);
const UNANSWERED_AFTER = seconds(5);
/** Of questions, so that one which was lost on the way is no reason. */
const UNANSWERED_QUESTIONS = 2;
const MAX_ASKED = 64;
const MAX_REFUSING = 256;
/** Whoever invents senders or nodes is not to fill the log. */
const RATE = { perSecond: 1 / 600, burst: 4 };
const ALONE_AFTER = seconds(10);
/** What was heard for this long before a round of handshakes failed has not kept it from working. */
const PROOF_LIFE = seconds(15);
/** A session that is older carries nothing any more (REJECT_AFTER_TIME, whitepaper §6.1). */
const SESSION_LIFE = seconds(180);

interface Asked {
  readonly endpoint: Endpoint;
  readonly since: Millis;
  questions: number;
  isTold: boolean;
}

export class Silence {
  readonly #output: Notice[] = [];
  /** Links whose own beacons have not come back yet, and when that is late. */
  readonly #unheard = new Map<number, Millis>();
  readonly #links = new Set<number>();
  /** The one asked first comes first. */
  readonly #asked = new Map<string, Asked>();
  readonly #limits = { unanswered: new TokenBucket(RATE), refused: new TokenBucket(RATE) } as const;
  readonly #foreign = { 'foreign-mesh': new Foreigners(), 'foreign-version': new Foreigners() } as const;
  readonly #provedAt = new WeakMap<KnownNode, Millis>();
  /** The ids of nodes of which that was told: those that do not build a tunnel are forgotten and found again. */
  readonly #refusing = new Set<string>();
  #aloneAt: Millis | undefined;
  #hasHeard = false;

  handleLinks(indices: readonly number[], now: Millis): void {
    for (const index of this.#links) if (!indices.includes(index)) this.#forgetLink(index);
    for (const index of indices) {
      if (this.#links.has(index)) continue;
      this.#links.add(index);
      this.#unheard.set(index, after(now, DEAF_AFTER));
    }
    if (!this.#hasHeard && this.#links.size > 0) this.#aloneAt ??= after(now, ALONE_AFTER);
  }

  /** A beacon of our own has come back on the link. */
  handleOwnBeacon(link: number): void {
    this.#unheard.delete(link);
  }

  /** A datagram that was dropped for this reason. */
  handleDropped(reason: string, from: Endpoint, now: Millis): void {
    if (reason === 'foreign-mesh') this.#foreign['foreign-mesh'].handle(from, now);
    if (reason === 'message-unknown-version') this.#foreign['foreign-version'].handle(from, now);
  }

  /** Another node, whoever it is, has said something. */
  handleHeard(): void {
    this.#hasHeard = true;
    this.#aloneAt = undefined;
  }

  /** Whoever says Hello from there has been asked for an answer. */
  handleAsked(endpoint: Endpoint, now: Millis): void {
    const key = formatEndpoint(endpoint);
    const asked = this.#asked.get(key);
    if (asked !== undefined) {
      asked.questions += 1;
      return;
    }
    const [oldest] = this.#asked.keys();
    if (this.#asked.size >= MAX_ASKED) this.#asked.delete(oldest);
    this.#asked.set(key, { endpoint, since: now, questions: 1, isTold: false });
  }

  handleAnswered(endpoint: Endpoint): void {
    this.#asked.delete(formatEndpoint(endpoint));
  }

  /** The node has answered a Hello. */
  handleProved(node: KnownNode, now: Millis): void {
    this.#provedAt.set(node, now);
  }

  /** A round of handshakes has ended without one. */
  handleFailed(node: KnownNode, now: Millis, unixNow: Millis): void {
    const provedAt = this.#provedAt.get(node);
    if (provedAt === undefined || after(provedAt, PROOF_LIFE) < now) return;
    const { lastHandshakeAt } = node.traffic;
    if (lastHandshakeAt !== undefined && after(lastHandshakeAt, SESSION_LIFE) > unixNow) return;
    const { nodeId, hostName, address } = node.description;
    if (this.#refusing.has(nodeId) || this.#refusing.size >= MAX_REFUSING || !this.#limits.refused.take(now)) return;
    this.#refusing.add(nodeId);
    this.#output.push({ kind: 'refused', nodeId, hostName, address });
  }

  handleUp(node: KnownNode): void {
    this.#refusing.delete(node.description.nodeId);
  }

  handleTimeout(now: Millis): void {
    for (const [link, dueAt] of this.#unheard) if (dueAt <= now) this.#tellDeaf(link);
    for (const asked of this.#asked.values()) this.#review(asked, now);
    for (const kind of ['foreign-mesh', 'foreign-version'] as const) {
      const told = this.#foreign[kind].takeDue(now);
      if (told !== undefined) this.#tell({ kind, ...told });
    }
    if (this.#aloneAt === undefined || this.#aloneAt > now) return;
    this.#tell({ kind: 'alone' });
  }

  poll(): Notice | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis {
    const due = [...this.#unheard.values(), ...[...this.#asked.values()].map(dueAtOf), this.#aloneAt];
    for (const foreigners of Object.values(this.#foreign)) due.push(foreigners.nextTimeout());
    return millis(Math.min(...due.map((at) => at ?? Infinity)));
  }

  /** Whoever is told a cause need not be told that nobody was heard. */
  #tell(notice: Notice): void {
    this.handleHeard();
    this.#output.push(notice);
  }

  #tellDeaf(link: number): void {
    this.#unheard.delete(link);
    this.#tell({ kind: 'deaf', link });
  }

  #review(asked: Asked, now: Millis): void {
    if (after(asked.since, UNANSWERED_AFTER) > now || asked.questions < UNANSWERED_QUESTIONS || asked.isTold) return;
    asked.isTold = true;
    if (this.#limits.unanswered.take(now)) this.#tell({ kind: 'unanswered', from: asked.endpoint });
  }

  #forgetLink(index: number): void {
    this.#links.delete(index);
    this.#unheard.delete(index);
    for (const [key, { endpoint }] of this.#asked) if (endpoint.scopeId === index) this.#asked.delete(key);
  }
}

/** Whoever was asked once is looked at again when he is asked a second time. */
function dueAtOf({ since, questions, isTold }: Asked): Millis | undefined {
  return isTold || questions < UNANSWERED_QUESTIONS ? undefined : after(since, UNANSWERED_AFTER);
}
