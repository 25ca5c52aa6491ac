import { NativeBuffer } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import { LONGEST_ICMP_ERROR, writePacketTooBig, writeUnreachable } from '../packet/index.ts';
import type { PacketWriter } from './tun-writer.ts';

/** Errors are for people who wait, not for floods (RFC 1812 §4.3.2.8, RFC 4443 §2.4 f). */
const ANSWERS_PER_SECOND = 100;

/** Tells applications at once that there is no way to a destination, or none for packets of that length. */
export class UnreachableAnswers {
  readonly #writer: PacketWriter;
  readonly #answer = new NativeBuffer(LONGEST_ICMP_ERROR);
  #second = 0;
  #given = 0;

  constructor(writer: PacketWriter) {
    this.#writer = writer;
  }

  /** Answers the packet of `length` bytes at `offset`, if it may be answered. */
  answer(bytes: Uint8Array, offset: number, length: number, now: Millis): void {
    if (this.#mayAnswer(now)) this.#give(writeUnreachable(bytes, offset, length, this.#answer.bytes));
  }

  /** Answers `packet` that it is longer than `mtu`, if it may be answered. */
  answerTooBig(packet: Uint8Array, mtu: number, now: Millis): void {
    if (this.#mayAnswer(now)) this.#give(writePacketTooBig(packet, mtu, this.#answer.bytes));
  }

  #mayAnswer(now: Millis): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#given = 0;
    }
    return this.#given < ANSWERS_PER_SECOND;
  }

  #give(answerLength: number): void {
    if (answerLength === 0) return;
    this.#given++;
    this.#writer.add(this.#answer, 0, answerLength);
    this.#writer.flush(this.#answer);
  }
}
