/** Bits that choose a slot. */
export const SLOT_BITS = 16;

/** Of a slot that was not asked for yet. Places of blocks are below it, complements of owners, from 0, are negative. */
export const UNKNOWN = 0x7fff_ffff;
/** Of a slot with more than `MOST_BOUNDARIES`, which takes longer to read in than it saves. */
export const TOO_MANY = 0x7fff_fffe;
const MOST_BOUNDARIES = 1024;
/** A block's first word is the number of its boundaries, and in its low bits how many words each has. */
const WIDTH_BITS = 3;
const WIDTH = (1 << WIDTH_BITS) - 1;

/**
 * Longest prefixes as ranges of addresses, for where there are many: the 16 bits behind `offset`, which all prefixes
 * have in common, choose a slot, and a slot's block says in a cache line or two at which addresses another owner
 * begins. A trie of 100,000 prefixes takes three to seven cache misses for the same answer.
 *
 * Blocks are made when their slot is first asked for, and forgotten when a prefix that covers some of it changes.
 */
export class RangeTable {
  readonly offset: number;
  /** The word of an address with which comparing begins: in those before, all that has one slot is the same. */
  readonly #from: number;
  /** For each slot the place of its block, or the complement of its one owner, or `UNKNOWN`. */
  readonly #slots = new Int32Array(1 << SLOT_BITS).fill(UNKNOWN);
  /** A block: its first word, boundaries in rising order, the owner before the first one, the owners from each on. */
  #blocks = new Int32Array(1 << 12);
  #used = 0;
  /** Words of blocks that were forgotten. */
  #unused = 0;

  constructor(offset: number) {
    this.offset = offset;
    this.#from = (offset + SLOT_BITS) >>> 5;
  }

  /** The owner at `address`; or `UNKNOWN`: `setSlot`, and ask again; or `TOO_MANY`: ask the trie. */
  lookup(address: Int32Array): number {
    const place = this.#slots[this.slotOf(address)];
    if (place < 0) return ~place;
    if (place >= TOO_MANY) return place;
    const blocks = this.#blocks;
    const width = blocks[place] & WIDTH;
    const count = blocks[place] >>> WIDTH_BITS;
    let low = 0;
    for (let high = count; low < high;) {
      const middle = (low + high) >>> 1;
      if (this.#isBelow(address, place + 1 + middle * width, width)) high = middle;
      else low = middle + 1;
    }
    return blocks[place + 1 + count * width + low];
  }

  /** Takes in what owns the addresses that have the slot of `address`. */
  setSlot(address: Int32Array, { first, boundaries }: Ranges): void {
    const slot = this.slotOf(address);
    // The end of the last range may lie behind the slot.
    const inside = boundaries.filter(({ at }) => this.slotOf(at) === slot);
    if (inside.length === 0 || inside.length > MOST_BOUNDARIES) {
      this.#slots[slot] = inside.length === 0 ? ~first : TOO_MANY;
      return;
    }
    const starts = inside.map(({ at }) => Array.from(at.subarray(this.#from)));
    // The words behind are zero in all of them: no address is below a boundary because of those.
    const width = Math.max(...starts.map((words) => words.findLastIndex((word) => word !== 0) + 1));
    const block = [(inside.length << WIDTH_BITS) | width];
    for (const words of starts) block.push(...words.slice(0, width));
    block.push(first, ...inside.map(({ owner }) => owner));
    const place = this.#allocate(block.length);
    this.#slots[slot] = place;
    this.#blocks.set(block, place);
  }

  /** Forgets the slots of a prefix. */
  forget(address: Int32Array, length: number): void {
    const depth = Math.max(0, Math.min(SLOT_BITS, length - this.offset));
    const count = 1 << (SLOT_BITS - depth);
    const first = depth === 0 ? 0 : this.slotOf(address) & -count;
    for (let slot = first; slot < first + count; slot++) this.#forgetSlot(slot);
  }

  slotOf(address: Int32Array): number {
    const word = this.offset >>> 5;
    const bit = this.offset & 31;
    const inFirst = (address[word] << bit) >>> SLOT_BITS;
    // Shifts are by the low 5 bits of a number: a shift by 32 must not be asked for.
    return bit <= 32 - SLOT_BITS ? inFirst : inFirst | (address[word + 1] >>> (64 - SLOT_BITS - bit));
  }

  #isBelow(address: Int32Array, at: number, width: number): boolean {
    for (let i = 0; i < width; i++) {
      const word = address[this.#from + i];
      const boundary = this.#blocks[at + i];
      if (word !== boundary) return word >>> 0 < boundary >>> 0;
    }
    return false;
  }

  #forgetSlot(slot: number): void {
    const place = this.#slots[slot];
    this.#slots[slot] = UNKNOWN;
    if (place < 0 || place >= TOO_MANY) return;
    const head = this.#blocks[place];
    const count = head >>> WIDTH_BITS;
    this.#unused += 1 + count * (head & WIDTH) + count + 1;
  }

  #allocate(words: number): number {
    while (this.#used + words > this.#blocks.length) this.#makeRoom();
    this.#used += words;
    return this.#used - words;
  }

  #makeRoom(): void {
    if (2 * this.#unused > this.#used) {
      this.#slots.fill(UNKNOWN);
      [this.#used, this.#unused] = [0, 0];
      return;
    }
    const larger = new Int32Array(2 * this.#blocks.length);
    larger.set(this.#blocks);
    this.#blocks = larger;
  }
}

/** Who owns what, in rising order of addresses, which are big-endian words. */
export class Ranges {
  /** The owner of what is before the first boundary. */
  readonly first: number;
  readonly boundaries: { readonly at: Int32Array; readonly owner: number }[] = [];

  constructor(first: number) {
    this.first = first;
  }

  get areTooMany(): boolean {
    return this.boundaries.length > 2 * MOST_BOUNDARIES;
  }

  /** From `at` on, which is not below the last one, `owner` owns. */
  add(at: Int32Array, owner: number): void {
    const last = this.boundaries.at(-1);
    if (last?.at.every((word, i) => word === at[i])) this.boundaries.pop();
    if (owner !== (this.boundaries.at(-1)?.owner ?? this.first)) this.boundaries.push({ at, owner });
  }
}

/** The first address behind the prefix of `length` bits that begins at `address`; behind the last comes the first. */
export function addressBehind(address: Int32Array, length: number): Int32Array {
  const next = address.slice();
  let carry = length === 0 ? 0 : 1 << (32 - (length & 31 || 32));
  for (let i = (length - 1) >> 5; i >= 0 && carry !== 0; i--) {
    next[i] += carry;
    carry = next[i] === 0 ? 1 : 0;
  }
  return next;
}
