import { NativeBuffer } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import { LONGEST_ICMP_ERROR, writeUnreachable } from '../packet/index.ts';
import type { TunWriter } from './tun-writer.ts';

/** Errors are for people who wait, not for floods (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f). */
const ANSWERS_PER_SECOND = 100;

/** Tells applications at once that there is no way to a destination, so that they need not wait for a timeout. */
export class UnreachableAnswers {
  readonly #writer: TunWriter;
  readonly #answer = new NativeBuffer(LONGEST_ICMP_ERROR);
  #second = 0;
  #given = 0;

  constructor(writer: TunWriter) {
    this.#writer = writer;
  }

  /** Answers the packet of `length` bytes at `offset`, if it may be answered. */
  answer(bytes: Uint8Array, offset: number, length: number, now: Millis): void {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#given = 0;
    }
    if (this.#given >= ANSWERS_PER_SECOND) return;
    const answerLength = writeUnreachable(bytes, offset, length, this.#answer.bytes);
    if (answerLength === 0) return;
    this.#given++;
    this.#writer.add(this.#answer, 0, answerLength);
    this.#writer.flush(this.#answer);
  }
}
