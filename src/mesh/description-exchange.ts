/**
 * Fetching descriptions, driven by the receiver: it asks for one part at a time and takes only what it asked for, so
 * nobody can make it hold more than it chose to. One exchange serves all sources of one kind; each source is asked for a
 * few descriptions at a time, and the rest wait their turn.
 */
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { Description } from './description.ts';
import {
  MAX_MESSAGE_BYTES,
  PART_HEADER_BYTES,
  SHORT_REQUEST_BYTES,
  type DescriptionPart,
  type DescriptionRequest,
} from './messages.ts';

const RETRANSMIT_AFTER = seconds(1);
/** To a source that stays silent. */
const MAX_TRIES = 4;
/** Then shorter ones are tried: the path may swallow what is long. */
const LONG_TRIES = 2;
/** In one fetch: a description has 4 parts, and a source that answers nonsense must not keep us asking. */
const MAX_REQUESTS = 16;

/**
 * A source that never answers has us ask in vain: each question is 1,200 bytes long, and what it names costs it 36. So a
 * source is asked for few descriptions at a time until it has answered, and not at all for a while after several in a row
 * that it did not answer. (With one datagram in five lost, one fetch in sixty fails by chance.)
 */
const UNTRIED_WINDOW = 2;
const MAX_UNANSWERED = 4;
const REST_AFTER_SILENCE = seconds(10);
const MAX_SOURCES = 1024;

export interface ExchangeLimits {
  /** Fetches that ask at the same time, by source. */
  readonly window: number;
  /** Fetches that ask or wait, by source. */
  readonly perSource: number;
  /** All fetches. The oldest goes when there are more. */
  readonly total: number;
}

interface Fetch<Source> {
  readonly nodeId: string;
  readonly source: Source;
  readonly sourceKey: string;
  /** `undefined` while it waits for its turn. */
  asking: { nonce: bigint; retransmitAt: Millis; tries: number; requests: number; mayBeLong: boolean } | undefined;
  /** What has arrived, from the start without gaps. `undefined` before the first part. */
  received: { readonly sequence: number; readonly bytes: Uint8Array; length: number } | undefined;
}

export interface Request<Source> {
  readonly message: DescriptionRequest;
  readonly to: Source;
}

/** The answer to `request`, never larger than it; `undefined` if there is nothing at its offset. */
export function answerRequest(
  { nonce, offset, length }: DescriptionRequest,
  { nodeId, sequence, bytes }: Description,
): DescriptionPart | undefined {
  if (offset >= bytes.length) return undefined;
  const part = bytes.subarray(offset, offset + length - PART_HEADER_BYTES);
  return { kind: 'description-part', nodeId, nonce, sequence, total: bytes.length, offset, bytes: part };
}

export class DescriptionExchange<Source> {
  readonly #limits: ExchangeLimits;
  readonly #keyOf: (source: Source) => string;
  readonly #nonce: () => bigint;
  /** By source and node id, the oldest first. */
  readonly #fetches = new Map<string, Fetch<Source>>();
  /** By source: whether it has answered, fetches in a row that it did not, and until when it is not asked. */
  readonly #records = new Map<string, { hasAnswered: boolean; unanswered: number; restsUntil: Millis }>();
  readonly #output: Request<Source>[] = [];

  constructor(limits: ExchangeLimits, keyOf: (source: Source) => string, nonce: () => bigint) {
    this.#limits = limits;
    this.#keyOf = keyOf;
    this.#nonce = nonce;
  }

  get size(): number {
    return this.#fetches.size;
  }

  /** Asks `source` for the description of `nodeId`, unless it is being asked already. */
  fetch(nodeId: string, source: Source, now: Millis): void {
    const sourceKey = this.#keyOf(source);
    const key = fetchKey(sourceKey, nodeId);
    if (this.#fetches.has(key) || this.#recordOf(sourceKey).restsUntil > now) return;
    const { asking, all } = this.#countOf(sourceKey);
    if (all >= this.#limits.perSource) return;
    const fetch: Fetch<Source> = { nodeId, source, sourceKey, asking: undefined, received: undefined };
    this.#fetches.set(key, fetch);
    if (asking < this.#windowOf(sourceKey)) this.#begin(fetch, now);
    if (this.#fetches.size > this.#limits.total) this.#end(this.#fetches.values().next().value as Fetch<Source>, now);
  }

  /** @returns the whole description, unchecked, once its last part has come */
  handlePart(part: DescriptionPart, source: Source, now: Millis): Uint8Array | 'part-unasked' | undefined {
    const fetch = this.#fetches.get(fetchKey(this.#keyOf(source), part.nodeId));
    if (fetch?.asking === undefined || fetch.asking.nonce !== part.nonce) return 'part-unasked';
    const record = this.#recordOf(fetch.sourceKey);
    record.hasAnswered = true;
    record.unanswered = 0;
    const { sequence, total } = part;
    if (fetch.received?.sequence !== sequence || fetch.received.bytes.length !== total) {
      // Between two parts the node has signed a newer description: start again with that one.
      fetch.received = { sequence, bytes: new Uint8Array(total), length: 0 };
    }
    const { received } = fetch;
    if (part.offset === received.length) {
      received.bytes.set(part.bytes, part.offset);
      received.length += part.bytes.length;
      // Until here the same question had the same nonce: where a round trip takes longer than RETRANSMIT_AFTER, the
      // answer to the first one comes after the second one went out.
      fetch.asking.nonce = this.#nonce();
      fetch.asking.tries = 0;
    }
    if (received.length < total) {
      this.#askOrEnd(fetch, now);
      return undefined;
    }
    this.#end(fetch, now);
    return received.bytes;
  }

  handleTimeout(now: Millis): void {
    for (const fetch of this.#fetches.values()) {
      if (fetch.asking !== undefined && fetch.asking.retransmitAt <= now) this.#askOrEnd(fetch, now);
    }
  }

  poll(): Request<Source> | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis | undefined {
    let earliest: Millis | undefined;
    for (const { asking } of this.#fetches.values()) {
      if (asking !== undefined && (earliest === undefined || asking.retransmitAt < earliest)) {
        earliest = asking.retransmitAt;
      }
    }
    return earliest;
  }

  #begin(fetch: Fetch<Source>, now: Millis): void {
    fetch.asking = { nonce: this.#nonce(), retransmitAt: now, tries: 0, requests: 0, mayBeLong: true };
    this.#askOrEnd(fetch, now);
  }

  #askOrEnd(fetch: Fetch<Source>, now: Millis): void {
    const { nodeId, asking, received } = fetch;
    if (asking === undefined || asking.tries >= MAX_TRIES || asking.requests >= MAX_REQUESTS) {
      this.#end(fetch, now);
      if (received === undefined) this.#handleSilence(fetch.sourceKey, now);
      return;
    }
    asking.tries += 1;
    if (asking.tries > LONG_TRIES) asking.mayBeLong = false;
    asking.requests += 1;
    asking.retransmitAt = after(now, RETRANSMIT_AFTER);
    const message = {
      kind: 'description-request',
      nodeId,
      nonce: asking.nonce,
      offset: received?.length ?? 0,
      length: asking.mayBeLong ? MAX_MESSAGE_BYTES : SHORT_REQUEST_BYTES,
    } as const;
    this.#output.push({ message, to: fetch.source });
  }

  #end({ sourceKey, nodeId }: Fetch<Source>, now: Millis): void {
    this.#fetches.delete(fetchKey(sourceKey, nodeId));
    for (const waiting of this.#fetches.values()) {
      if (waiting.sourceKey !== sourceKey || waiting.asking !== undefined) continue;
      if (this.#countOf(sourceKey).asking < this.#windowOf(sourceKey)) this.#begin(waiting, now);
      return;
    }
  }

  /** A fetch from the source has failed without an answer. */
  #handleSilence(sourceKey: string, now: Millis): void {
    const record = this.#recordOf(sourceKey);
    record.unanswered += 1;
    if (record.unanswered < MAX_UNANSWERED) return;
    record.hasAnswered = false;
    record.unanswered = 0;
    record.restsUntil = after(now, REST_AFTER_SILENCE);
    for (const [key, fetch] of this.#fetches) if (fetch.sourceKey === sourceKey) this.#fetches.delete(key);
  }

  #windowOf(sourceKey: string): number {
    const { window } = this.#limits;
    return this.#recordOf(sourceKey).hasAnswered ? window : Math.min(window, UNTRIED_WINDOW);
  }

  #recordOf(sourceKey: string) {
    const untried = { hasAnswered: false, unanswered: 0, restsUntil: millis(-Infinity) };
    const record = this.#records.get(sourceKey) ?? untried;
    this.#records.delete(sourceKey);
    this.#records.set(sourceKey, record);
    if (this.#records.size > MAX_SOURCES) this.#records.delete(this.#records.keys().next().value as string);
    return record;
  }

  #countOf(sourceKey: string): { asking: number; all: number } {
    const count = { asking: 0, all: 0 };
    for (const fetch of this.#fetches.values()) {
      if (fetch.sourceKey !== sourceKey) continue;
      count.all += 1;
      if (fetch.asking !== undefined) count.asking += 1;
    }
    return count;
  }
}

function fetchKey(sourceKey: string, nodeId: string): string {
  return `${sourceKey} ${nodeId}`;
}
