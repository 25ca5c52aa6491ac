/** Which of the last 16 Hellos of one kind were heard (RFC 8966 Appendix A.1). */
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import { seqnoDistance, seqnoPlus } from './seqno.ts';

const DEPTH = 16;
/** What is taken for the interval of a sender that promises none: unscheduled Hellos alone would be remembered for good. */
const UNPROMISED_INTERVAL = seconds(4);

export class HelloHistory {
  /** The newest is the lowest bit. */
  #bits = 0;
  #length = 0;
  #expected: number | undefined;
  #interval = millis(0);
  /** When the next Hello is overdue. */
  dueAt = millis(Infinity);

  /** Takes a Hello. @returns false if the sender must have started anew: then nothing has changed */
  receive(seqno: number, interval: Millis, now: Millis): boolean {
    const ahead = this.#expected === undefined ? 0 : seqnoDistance(this.#expected, seqno);
    if (Math.abs(ahead) > DEPTH) return false;
    if (ahead < 0) this.#undo(-ahead);
    for (let i = 0; i < ahead; i++) this.#push(0);
    this.#push(1);
    this.#expected = seqnoPlus(seqno, 1);
    if (interval > 0 || this.dueAt === Infinity) {
      this.#interval = interval > 0 ? interval : UNPROMISED_INTERVAL;
      this.dueAt = after(now, millis(this.#interval * 1.5));
    }
    return true;
  }

  /** Notes the Hellos that should have come by `now`. @returns whether any should have */
  miss(now: Millis): boolean {
    if (this.dueAt > now) return false;
    while (this.dueAt <= now && this.#bits !== 0) {
      this.#push(0);
      this.#expected = seqnoPlus(this.#expected ?? 0, 1);
      this.dueAt = after(this.dueAt, this.#interval);
    }
    if (this.#bits === 0) this.dueAt = millis(Infinity);
    return true;
  }

  /** Whether of the last 16 none was heard. */
  get isEmpty(): boolean {
    return this.#bits === 0;
  }

  /** Whether a Hello was missed of those remembered. */
  get isLossy(): boolean {
    return this.#bits !== (1 << this.#length) - 1;
  }

  /** How many of the last `count` were heard. */
  heard(count: number): number {
    let heard = 0;
    for (let i = 0; i < count; i++) heard += (this.#bits >>> i) & 1;
    return heard;
  }

  /** How many are remembered, `count` at most. */
  known(count: number): number {
    return Math.min(count, this.#length);
  }

  #push(bit: 0 | 1): void {
    this.#bits = ((this.#bits << 1) | bit) & ((1 << DEPTH) - 1);
    this.#length = Math.min(DEPTH, this.#length + 1);
  }

  #undo(count: number): void {
    this.#bits >>>= count;
    this.#length = Math.max(0, this.#length - count);
  }
}
