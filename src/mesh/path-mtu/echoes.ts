import { millis, type Millis } from '../../machine/index.ts';

/** What is asked for with each packet under test, and is lost for other reasons than its length: the shortest there is. */
const SHORT = 0;
const MAX_KEPT = 16;
/** RFC 6298 §2. */
const RTT_WEIGHT = 1 / 8;
const LOSS_WEIGHT = 1 / 24;
/** Before anything is known: most paths lose less. */
const FIRST_LOSS_RATE = 0.05;
const FIRST_WAIT = 1000;
const LEAST_WAIT = 300;
const MAX_WAIT = 8000;
/** So many pairs in a row may be lost by chance before they are asked for more slowly. */
const PATIENCE = 3;
/** Packets that take different ways overtake each other. */
const LEAST_GRACE = 50;

export interface Probe {
  readonly nonce: bigint;
  /** Of the whole packet in the tunnel, in bytes; 0 for as short as it may be. */
  readonly size: number;
}

/** What an answer shows. */
export type Answer = { readonly passes: number } | 'alive' | 'unasked';

/**
 * Echoes in pairs: of a long packet, and behind it of a short one. That the long one was lost counts only where the short
 * one came back: so neither a path that is down nor one that is slow makes a length fail, and of those lost by chance
 * only few do.
 */
export class Echoes {
  readonly #nonce: () => bigint;
  /** The oldest first. */
  readonly #sent = new Map<bigint, { readonly size: number; readonly at: Millis }>();
  #short: bigint | undefined;
  #smoothedRtt: number | undefined;
  #lossRate = FIRST_LOSS_RATE;
  #wait = FIRST_WAIT;
  /** Pairs in a row of which nothing came. */
  #silences = 0;

  constructor(nonce: () => bigint) {
    this.#nonce = nonce;
  }

  /** Of short packets: the chance that one or its answer is lost. */
  get lossRate(): number {
    return this.#lossRate;
  }

  /** Nothing has come for as long as there is any sense in waiting. */
  get isSilent(): boolean {
    return this.#wait === MAX_WAIT;
  }

  /** How long a pair is waited for. */
  get wait(): Millis {
    return millis(this.#wait);
  }

  /** How long the long one's answer is waited for once the short one's is there. */
  get grace(): Millis {
    return millis(LEAST_GRACE + (this.#smoothedRtt ?? 0) / 2);
  }

  ask(size: number, now: Millis): Probe[] {
    const pair = [size, SHORT].map((each) => ({ nonce: this.#nonce(), size: each }));
    for (const probe of pair) this.#sent.set(probe.nonce, { size: probe.size, at: now });
    for (const nonce of this.#sent.keys()) if (this.#sent.size > MAX_KEPT) this.#sent.delete(nonce);
    this.#short = pair[1].nonce;
    return pair;
  }

  /** `alive`: the short one of the pair asked for last has come back. Late answers show what passes as well. */
  handleEcho(nonce: bigint, now: Millis): Answer {
    const sent = this.#sent.get(nonce);
    if (sent === undefined) return 'unasked';
    this.#sent.delete(nonce);
    this.#silences = 0;
    this.#measure(now - sent.at);
    if (sent.size !== SHORT) return { passes: sent.size };
    if (nonce !== this.#short) return { passes: 0 };
    this.#note(0);
    return 'alive';
  }

  /** Nothing of the pair came in time. */
  handleSilence(): void {
    this.#note(1);
    this.#silences += 1;
    if (this.#silences > PATIENCE) this.#wait = Math.min(MAX_WAIT, this.#wait * 2);
  }

  #measure(sample: number): void {
    const before = this.#smoothedRtt ?? sample;
    this.#smoothedRtt = before + (sample - before) * RTT_WEIGHT;
    this.#wait = Math.min(MAX_WAIT, Math.max(LEAST_WAIT, 2 * this.#smoothedRtt + 200, sample + 200));
  }

  #note(loss: number): void {
    this.#lossRate += (loss - this.#lossRate) * LOSS_WEIGHT;
  }
}
