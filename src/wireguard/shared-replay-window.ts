import type { Counter } from '../crypto/primitives.ts';

/**
 * The replay window of a keypair that several threads open with (docs/decisions/0012-several-threads.md).
 *
 * As in RFC 6479 marks lie in a ring, here of cells with eight marks each. But nobody clears cells ahead: each says
 * which of the blocks of eight counters that fall on it its marks are of, so that a mark is set, and a cell taken over
 * by a later block, with one compare-and-exchange. A cell never goes back to an earlier block and never loses a mark:
 * hence no counter is accepted twice, in whatever order the steps of the threads happen.
 */
const BLOCK_BITS = 3;
const MARKS = 1 << BLOCK_BITS;
const RING_BITS = 10;
const CELLS = 1 << RING_BITS;

/** A counter that is less than this below the greatest one is never too old. */
export const SHARED_REPLAY_WINDOW = (CELLS - 1) * MARKS;
/** Numbers of 32 bits that a window takes. */
export const SHARED_REPLAY_WINDOW_LANES = 1 + CELLS;

/**
 * Counters reach to 2^33, so that a block's round through the ring and its marks fit a cell. Before anybody has sent
 * more, at 47 million messages a second, the keypair is over by time.
 */
const GREATEST_HIGH = 1;
/** In place of the greatest block; older than this is all there can be. */
const CLOSED = 0xffff_ffff;

export class SharedReplayWindow {
  readonly #lanes: Uint32Array;
  /** Where the greatest block lies that was marked; the cells are behind it. */
  readonly #greatest: number;

  /** `lanes` are of a `SharedArrayBuffer`; the window lies at `lane`, and is all zeros at first. */
  constructor(lanes: Uint32Array, lane: number) {
    this.#lanes = lanes;
    this.#greatest = lane;
  }

  /** Marks `counter` as seen. @returns whether it is new; call only with counters of authenticated messages */
  accept({ high, low }: Counter): boolean {
    if (high > GREATEST_HIGH) return false;
    const block = (high << (32 - BLOCK_BITS)) | (low >>> BLOCK_BITS);
    const greatest = Atomics.load(this.#lanes, this.#greatest);
    if (greatest - block >= CELLS) return false;
    if (!this.#mark(block, 1 << (low & (MARKS - 1)))) return false;
    // Behind the mark, so that whoever is told that a message is too old has a message accepted to blame.
    if (greatest < block) this.#advance(greatest, block);
    return true;
  }

  /** Nothing is accepted from now on. */
  close(): void {
    Atomics.store(this.#lanes, this.#greatest, CLOSED);
  }

  #mark(block: number, mark: number): boolean {
    const lane = this.#greatest + 1 + (block & (CELLS - 1));
    const round = block >>> RING_BITS;
    for (let cell = Atomics.load(this.#lanes, lane); ;) {
      const cellRound = cell >>> MARKS;
      if (cellRound > round || (cellRound === round && (cell & mark) !== 0)) return false;
      const marked = cellRound === round ? cell | mark : (round << MARKS) | mark;
      const found = Atomics.compareExchange(this.#lanes, lane, cell, marked);
      if (found === cell) return true;
      cell = found;
    }
  }

  #advance(known: number, block: number): void {
    for (let greatest = known; greatest < block;) {
      const found = Atomics.compareExchange(this.#lanes, this.#greatest, greatest, block);
      if (found === greatest) return;
      greatest = found;
    }
  }
}
