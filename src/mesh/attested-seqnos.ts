/** What each node has signed last of its Babel seqno, ours among them. As many as there are known nodes. */
import { isSeqnoLess, seqnoPlus } from '../babel/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { KnownNode } from './known-nodes.ts';
import type { NodeContext } from './node-context.ts';
import { TokenBucket } from './rate-limit.ts';
import { isSignedBy, signSeqno, type SeqnoStatement } from './seqno-statement.ts';

/** Signatures that are checked for one sender: a whole mesh at once, when it becomes our neighbour. */
const SENDER_RATE = { perSecond: 20, burst: 1100 };
/** A node raises its seqno ten times a second at most (docs/decisions/0015-babel-speaker.md). */
const OWNER_RATE = { perSecond: 10, burst: 20 };
/** Nobody passes on what is signed wrongly without having looked at it. */
const MUTE_TIME = seconds(60);

/** Seqnos that a write to the disk is good for, so that whoever makes us raise ours makes us write seldom. */
const RESERVED = 64;

export type StatementDrop =
  'statement-of-unknown-node' | 'statement-stale' | 'statement-wrong-signature' | 'statement-rate-limited';

type Context = Pick<NodeContext, 'options' | 'nodeId' | 'tag' | 'own' | 'roster' | 'outbox'>;

interface Sender {
  readonly bucket: TokenBucket;
  mutedUntil: Millis;
}

export class AttestedSeqnos {
  readonly #context: Context;
  readonly #newest = new Map<string, SeqnoStatement>();
  readonly #senders = new WeakMap<KnownNode, Sender>();
  readonly #owners = new WeakMap<KnownNode, TokenBucket>();
  /** On disk; no seqno of ours is as new as that. */
  #reserved: number | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  get(nodeId: string): SeqnoStatement | undefined {
    return this.#newest.get(nodeId);
  }

  /** The one to begin with: newer than those of an earlier life, as far as the disk or else the clock knows. */
  first(): number {
    const { storedSeqno, unixTime } = this.#context.options;
    return storedSeqno ?? Math.floor(unixTime() / 1000) & 0xffff;
  }

  /** Signs our own, if it is another than before. */
  attest(seqno: number): void {
    const before = this.#newest.get(this.#context.nodeId);
    if (before?.seqno === seqno) return;
    if (this.#reserved === undefined || !isSeqnoLess(seqno, this.#reserved)) {
      this.#reserved = seqnoPlus(seqno, RESERVED);
      this.#context.outbox.storeSeqno(this.#reserved);
    }
    this.#sign(seqno, (before?.issuedAt ?? 0) + 1);
  }

  forget(nodeId: string): void {
    this.#newest.delete(nodeId);
  }

  /** @returns the node that has signed something newer than what was known; ours is no node of others: then `undefined` */
  take(statement: SeqnoStatement, from: KnownNode, now: Millis): KnownNode | StatementDrop | undefined {
    const { nodeId, issuedAt } = statement;
    const { roster, options, tag } = this.#context;
    const known = this.#newest.get(nodeId);
    if (known !== undefined && issuedAt <= known.issuedAt) return 'statement-stale';
    if (nodeId === this.#context.nodeId) return this.#takeOwn(statement, from, now);
    const owner = roster.nodes.get(nodeId);
    if (owner === undefined) return 'statement-of-unknown-node';
    const drop = this.#mayCheck(from, now);
    if (drop !== undefined) return drop;
    if (!this.#bucketOf(owner).take(now)) return 'statement-rate-limited';
    if (!isSignedBy(owner.description.identityKey, statement, tag, options.primitives)) return this.#mute(from, now);
    this.#newest.set(nodeId, statement);
    return owner;
  }

  /** We have lost our memory, and our clock was put back: what we say must be newer than what we said before. */
  #takeOwn(statement: SeqnoStatement, from: KnownNode, now: Millis): StatementDrop | undefined {
    const { own, options, tag } = this.#context;
    const present = this.#newest.get(this.#context.nodeId);
    const drop = this.#mayCheck(from, now);
    if (drop !== undefined || present === undefined) return drop;
    const { identityKey } = own.current;
    if (!isSignedBy(identityKey, statement, tag, options.primitives)) return this.#mute(from, now);
    this.#sign(present.seqno, statement.issuedAt + 1);
    return undefined;
  }

  #sign(seqno: number, leastIssuedAt: number): void {
    const { options, nodeId, tag } = this.#context;
    const issuedAt = Math.max(Math.floor(options.unixTime()), leastIssuedAt);
    const identity = { nodeId, seed: options.identitySeed };
    this.#newest.set(nodeId, signSeqno({ seqno, issuedAt }, tag, identity, options.primitives));
  }

  #mayCheck(from: KnownNode, now: Millis): StatementDrop | undefined {
    const { bucket, mutedUntil } = this.#senderOf(from);
    return mutedUntil > now || !bucket.take(now) ? 'statement-rate-limited' : undefined;
  }

  #mute(from: KnownNode, now: Millis): StatementDrop {
    this.#senderOf(from).mutedUntil = after(now, MUTE_TIME);
    return 'statement-wrong-signature';
  }

  #senderOf(node: KnownNode): Sender {
    const sender = this.#senders.get(node) ?? { bucket: new TokenBucket(SENDER_RATE), mutedUntil: millis(-Infinity) };
    this.#senders.set(node, sender);
    return sender;
  }

  #bucketOf(owner: KnownNode): TokenBucket {
    const bucket = this.#owners.get(owner) ?? new TokenBucket(OWNER_RATE);
    this.#owners.set(owner, bucket);
    return bucket;
  }
}
