import { addressBehind, Ranges, RangeTable, SLOT_BITS, TOO_MANY, UNKNOWN } from './range-table.ts';

/**
 * A binary trie of the prefixes of one address family, compressed to the nodes where it forks or where a prefix ends.
 * All nodes lie in one Int32Array, each in one cache line; a node is named by where it begins. Node 0 is the root, the
 * empty prefix; as a child, 0 stands for none.
 */
const META = 0; // The length of the prefix in bits and, above it, the number of its owner.
const CHILDREN = 1;
const KEY = 3; // The words of the prefix, big-endian: 1 for IPv4, 4 for IPv6.

const LENGTH = 0xff;
const OWNER_SHIFT = 8;

/** Nodes from which on a range table is faster than a walk, and worth its quarter of a megabyte. */
const MANY_NODES = 64;

/** Addresses are handed in as words, in an array that is as long or longer. Owners are numbers from 1; 0 is nobody. */
export class PrefixTrie {
  readonly #words: 1 | 4;
  /** Nodes are multiples of it. */
  readonly stride: 4 | 8;
  #nodes: Int32Array;
  #used: number;
  readonly #free: number[] = [];
  /** The last node with an owner that the last walk passed. */
  #best = 0;
  #ranges: RangeTable | undefined;

  constructor(words: 1 | 4) {
    this.#words = words;
    this.stride = words === 1 ? 4 : 8;
    this.#nodes = new Int32Array(16 * this.stride);
    this.#used = this.stride;
  }

  /** The owner of the longest prefix that covers `address`. */
  lookup(address: Int32Array): number {
    if (this.#used < MANY_NODES * this.stride) return this.#lookupByWalk(address);
    const ranges = (this.#ranges ??= new RangeTable(this.#commonLength()));
    if (ranges.offset > 0 && this.#commonBits(this.#top(), address, ranges.offset) < ranges.offset) {
      return this.owner(0);
    }
    let owner = ranges.lookup(address);
    if (owner === UNKNOWN) {
      this.#fillSlot(ranges, address);
      owner = ranges.lookup(address);
    }
    return owner === TOO_MANY ? this.#lookupByWalk(address) : owner;
  }

  /** The length of the longest prefix that covers `address`, or -1 where nobody owns one. Slower than `lookup`. */
  longest(address: Int32Array): number {
    return this.#lookupByWalk(address) === 0 ? -1 : this.#length(this.#best);
  }

  /** @returns the node of exactly this prefix, or -1 if nobody owns it */
  find(address: Int32Array, length: number): number {
    const { node } = this.#descend(address, length);
    return this.#length(node) === length && this.owner(node) !== 0 ? node : -1;
  }

  owner(node: number): number {
    return this.#nodes[node + META] >>> OWNER_SHIFT;
  }

  /** The prefix of `node`, as bytes. */
  prefix(node: number): { bytes: Uint8Array; length: number } {
    const bytes = new Uint8Array(this.#words * 4);
    const view = new DataView(bytes.buffer);
    this.#key(node).forEach((word, i) => view.setInt32(4 * i, word));
    return { bytes, length: this.#length(node) };
  }

  /** Makes `owner` the owner of a prefix. @returns its node, which stays the same until the prefix is deleted */
  set(address: Int32Array, length: number, owner: number): number {
    const node = this.#nodeFor(address, length);
    this.#nodes[node + META] = length | (owner << OWNER_SHIFT);
    this.#forgetRanges(address, length);
    return node;
  }

  /** Deletes a prefix that has an owner. */
  delete(address: Int32Array, length: number): void {
    const { node, parent, grandparent } = this.#descend(address, length);
    this.#nodes[node + META] = length;
    this.#splice(node, parent);
    this.#splice(parent, grandparent);
    this.#forgetRanges(address, length);
  }

  #lookupByWalk(address: Int32Array): number {
    // Down to the end as if every node on the way covered the address: that is quick, because only the bits at which
    // the trie forks are looked at, and right if the last node with an owner does cover it.
    const end = this.#walk(address, this.#words * 32);
    const common = this.#commonBits(end, address, this.#length(end));
    if (this.#length(this.#best) > common) this.#walk(address, common);
    return this.owner(this.#best);
  }

  /** Follows the bits of `address` down to prefixes of `limit` bits. @returns the last node; sets `#best` on the way */
  #walk(address: Int32Array, limit: number): number {
    const nodes = this.#nodes;
    let node = 0;
    let best = 0;
    for (let next = 0; ;) {
      const meta = nodes[next + META];
      const length = meta & LENGTH;
      if (length > limit) break;
      node = next;
      if (meta > LENGTH) best = node;
      if (length === limit) break;
      next = nodes[node + CHILDREN + bitAt(address, length)];
      if (next === 0) break;
    }
    this.#best = best;
    return node;
  }

  /** The last node that covers all prefixes but the empty one: what they have in common tells nothing apart. */
  #top(): number {
    const [first, second] = [this.#nodes[CHILDREN], this.#nodes[CHILDREN + 1]];
    return first === 0 || second === 0 ? first + second : 0;
  }

  #commonLength(): number {
    return Math.min(this.#length(this.#top()), this.#words * 32 - SLOT_BITS);
  }

  #forgetRanges(address: Int32Array, length: number): void {
    if (this.#ranges === undefined) return;
    if (this.#ranges.offset === this.#commonLength()) this.#ranges.forget(address, length);
    else this.#ranges = undefined;
  }

  #fillSlot(table: RangeTable, address: Int32Array): void {
    const limit = table.offset + SLOT_BITS;
    const { node, owner } = this.#descend(address, limit);
    const ranges = new Ranges(owner);
    const below = this.#length(node) === limit ? node : this.#nodes[this.#slot(node, address)];
    if (below !== 0 && this.#commonBits(below, address, limit) === limit) this.#addRanges(ranges, below, owner);
    table.setSlot(address, ranges);
  }

  /** Where owners change from the beginning of `node` to its end; `around` owns what is around it. */
  #addRanges(ranges: Ranges, node: number, around: number): void {
    const owner = this.owner(node) || around;
    const key = this.#key(node);
    if (owner !== around) ranges.add(key, owner);
    for (const child of [this.#nodes[node + CHILDREN], this.#nodes[node + CHILDREN + 1]]) {
      if (child !== 0 && !ranges.areTooMany) this.#addRanges(ranges, child, owner);
    }
    if (owner !== around) ranges.add(addressBehind(key, this.#length(node)), around);
  }

  /** The last node on the way to a prefix that covers it, the two above, and the last owner; the root is its parent. */
  #descend(address: Int32Array, length: number): Descent {
    let [node, parent, grandparent] = [0, 0, 0];
    let owner = this.owner(0);
    while (this.#length(node) < length) {
      const child = this.#nodes[this.#slot(node, address)];
      const childLength = this.#length(child);
      if (child === 0 || childLength > length || this.#commonBits(child, address, childLength) < childLength) break;
      [node, parent, grandparent] = [child, node, parent];
      owner = this.owner(node) || owner;
    }
    return { node, parent, grandparent, owner };
  }

  #nodeFor(address: Int32Array, length: number): number {
    const { node: parent } = this.#descend(address, length);
    if (this.#length(parent) === length) return parent;
    const child = this.#nodes[this.#slot(parent, address)];
    const node = this.#create(address, length);
    if (child === 0) {
      this.#nodes[this.#slot(parent, address)] = node;
      return node;
    }
    const common = this.#commonBits(child, address, length);
    const above = common === length ? node : this.#create(address, common);
    this.#nodes[this.#slot(above, this.#key(child))] = child;
    if (above !== node) this.#nodes[this.#slot(above, address)] = node;
    this.#nodes[this.#slot(parent, address)] = above;
    return node;
  }

  /** Takes a node out that neither forks nor ends a prefix. */
  #splice(node: number, parent: number): void {
    if (node === 0 || this.owner(node) !== 0) return;
    const [first, second] = [this.#nodes[node + CHILDREN], this.#nodes[node + CHILDREN + 1]];
    if (first !== 0 && second !== 0) return;
    this.#nodes[this.#slot(parent, this.#key(node))] = first + second;
    this.#free.push(node);
  }

  #create(address: Int32Array, length: number): number {
    const node = this.#free.pop() ?? this.#used;
    if (node === this.#used) this.#used += this.stride;
    if (this.#used > this.#nodes.length) this.#grow();
    this.#nodes.fill(0, node, node + this.stride);
    this.#nodes[node + META] = length;
    // The address is that of a longer prefix where this one is a fork.
    for (let i = 0; 32 * i < length; i++) this.#nodes[node + KEY + i] = address[i] & maskOf(length - 32 * i);
    return node;
  }

  #grow(): void {
    const larger = new Int32Array(this.#nodes.length * 2);
    larger.set(this.#nodes);
    this.#nodes = larger;
  }

  #length(node: number): number {
    return this.#nodes[node + META] & LENGTH;
  }

  #key(node: number): Int32Array {
    return this.#nodes.subarray(node + KEY, node + KEY + this.#words);
  }

  /** Where `node`, which covers `address` and is shorter, keeps the child in the direction of `address`. */
  #slot(node: number, address: Int32Array): number {
    return node + CHILDREN + bitAt(address, this.#length(node));
  }

  /** How many of the first `limit` bits of `node` and `address` are the same. */
  #commonBits(node: number, address: Int32Array, limit: number): number {
    for (let i = 0; i * 32 < limit; i++) {
      const difference = this.#nodes[node + KEY + i] ^ address[i];
      if (difference !== 0) return Math.min(limit, i * 32 + Math.clz32(difference));
    }
    return limit;
  }
}

/** Bit `index` of `address`, the first being the highest of word 0. JavaScript shifts by the low 5 bits of a number. */
function bitAt(address: Int32Array, index: number): number {
  return (address[index >>> 5] >>> ~index) & 1;
}

/** The first `length` bits of a word. */
function maskOf(length: number): number {
  return length >= 32 ? -1 : ~(-1 >>> length);
}

interface Descent {
  readonly node: number;
  readonly parent: number;
  readonly grandparent: number;
  /** Of the longest prefix on the way. */
  readonly owner: number;
}
