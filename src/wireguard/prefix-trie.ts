import { Shortcut, SHORTCUT_BITS } from './trie-shortcut.ts';

/**
 * A binary trie of the prefixes of one address family, compressed to the nodes where it forks or where a prefix ends.
 * All nodes lie in one Int32Array, each in one cache line; a node is named by where it begins. Node 0 is the root, the
 * empty prefix; as a child, 0 stands for none.
 */
const META = 0; // The length of the prefix in bits, with the flag `OWNED`.
const CHILDREN = 1;
const KEY = 3; // The words of the prefix, big-endian: 1 for IPv4, 4 for IPv6.

const OWNED = 0x100;
const LENGTH = 0xff;
const NONE = -1;

/** Nodes from which on a shortcut is worth its half megabyte. */
const MANY_NODES = 4096;
/** Lookups without a change between them that pay for making a shortcut: about 5 ms, so 0.1 µs each. */
const LOOKUPS_FOR_SHORTCUT = 50_000;

/** Addresses are handed in as words, in an array that is as long or longer. `undefined` cannot be an owner. */
export class PrefixTrie<Owner> {
  readonly #words: 1 | 4;
  readonly #stride: 4 | 8;
  #nodes: Int32Array;
  #used: number;
  readonly #owners: (Owner | undefined)[] = [undefined];
  readonly #free: number[] = [];
  /** The last node with an owner that the last walk passed. */
  #best = 0;
  #shortcut: Shortcut | undefined;
  #lookupsSinceChange = 0;

  constructor(words: 1 | 4) {
    this.#words = words;
    this.#stride = words === 1 ? 4 : 8;
    this.#nodes = new Int32Array(16 * this.#stride);
    this.#used = this.#stride;
  }

  /** The owner of the longest prefix that covers `address`. */
  lookup(address: Int32Array): Owner | undefined {
    // Down to the end as if every node on the way covered the address: that is quick, because only the bits at which
    // the trie forks are looked at, and right if the last node with an owner does cover it.
    const end = this.#walkToEnd(address);
    const common = this.#commonBits(end, address, this.#length(end));
    if (this.#length(this.#best) > common) this.#walk(address, common);
    return this.owner(this.#best);
  }

  /** @returns the node of exactly this prefix, or -1 if nobody owns it */
  find(address: Int32Array, length: number): number {
    const { node } = this.#descend(address, length);
    return this.#length(node) === length && this.#isOwned(node) ? node : NONE;
  }

  owner(node: number): Owner | undefined {
    return node === NONE ? undefined : this.#owners[node >>> 2];
  }

  /** The prefix of `node`, as bytes. */
  prefix(node: number): { bytes: Uint8Array; length: number } {
    const bytes = new Uint8Array(this.#words * 4);
    const view = new DataView(bytes.buffer);
    this.#key(node).forEach((word, i) => view.setInt32(4 * i, word));
    return { bytes, length: this.#length(node) };
  }

  /** Makes `owner` the owner of a prefix. @returns its node, which stays the same until the prefix is deleted */
  set(address: Int32Array, length: number, owner: Owner): number {
    const node = this.#nodeFor(address, length);
    this.#forgetShortcut();
    this.#nodes[node + META] = length | OWNED;
    this.#owners[node >>> 2] = owner;
    return node;
  }

  /** Deletes a prefix that has an owner. */
  delete(address: Int32Array, length: number): void {
    const { node, parent, grandparent } = this.#descend(address, length);
    this.#forgetShortcut();
    this.#nodes[node + META] = length;
    this.#owners[node >>> 2] = undefined;
    this.#splice(node, parent);
    this.#splice(parent, grandparent);
  }

  #walkToEnd(address: Int32Array): number {
    const limit = this.#words * 32;
    const shortcut = this.#shortcut;
    if (shortcut !== undefined) {
      const at = 2 * shortcut.slotOf(address);
      return this.#walk(address, limit, shortcut.walks[at], shortcut.walks[at + 1]);
    }
    this.#lookupsSinceChange++;
    if (this.#lookupsSinceChange > LOOKUPS_FOR_SHORTCUT) this.#makeShortcut();
    return this.#walk(address, limit);
  }

  /** For when there are many prefixes, which change seldom: where the first 16 bits that differ lead to. */
  #makeShortcut(): void {
    this.#lookupsSinceChange = 0;
    if (this.#used / this.#stride < MANY_NODES) return;
    const [first, second] = [this.#nodes[CHILDREN], this.#nodes[CHILDREN + 1]];
    // What all prefixes have in common tells nothing apart.
    const top = first === 0 || second === 0 ? first + second : 0;
    const shortcut = new Shortcut(Math.min(this.#length(top), this.#words * 32 - SHORTCUT_BITS));
    const address = new Int32Array(4);
    address.set(this.#key(top));
    for (let slot = 0; slot < 1 << SHORTCUT_BITS; slot++) {
      shortcut.writeSlot(slot, address);
      shortcut.walks[2 * slot] = this.#walk(address, shortcut.offset + SHORTCUT_BITS);
      shortcut.walks[2 * slot + 1] = this.#best;
    }
    this.#shortcut = shortcut;
  }

  #forgetShortcut(): void {
    this.#shortcut = undefined;
    this.#lookupsSinceChange = 0;
  }

  /**
   * Follows the bits of `address` down to prefixes of `limit` bits, from `start`, whose last node with an owner above is
   * `best`. @returns the last node; sets `#best` on the way
   */
  #walk(address: Int32Array, limit: number, start = 0, bestAbove = 0): number {
    const nodes = this.#nodes;
    let node = start;
    let best = bestAbove;
    for (let next = start; ;) {
      const meta = nodes[next + META];
      const length = meta & LENGTH;
      if (length > limit) break;
      node = next;
      if ((meta & OWNED) !== 0) best = node;
      if (length === limit) break;
      next = nodes[node + CHILDREN + bitAt(address, length)];
      if (next === 0) break;
    }
    this.#best = best;
    return node;
  }

  /** The last node on the way to a prefix that covers it, and the two above; the root is its own parent. */
  #descend(address: Int32Array, length: number): { node: number; parent: number; grandparent: number } {
    let [node, parent, grandparent] = [0, 0, 0];
    while (this.#length(node) < length) {
      const child = this.#nodes[this.#slot(node, address)];
      const childLength = this.#length(child);
      if (child === 0 || childLength > length || this.#commonBits(child, address, childLength) < childLength) break;
      [node, parent, grandparent] = [child, node, parent];
    }
    return { node, parent, grandparent };
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
    if (node === 0 || this.#isOwned(node)) return;
    const [first, second] = [this.#nodes[node + CHILDREN], this.#nodes[node + CHILDREN + 1]];
    if (first !== 0 && second !== 0) return;
    this.#nodes[this.#slot(parent, this.#key(node))] = first + second;
    this.#free.push(node);
  }

  #create(address: Int32Array, length: number): number {
    const node = this.#free.pop() ?? this.#used;
    if (node === this.#used) this.#used += this.#stride;
    if (this.#used > this.#nodes.length) this.#grow();
    this.#nodes.fill(0, node, node + this.#stride);
    this.#nodes[node + META] = length;
    for (let i = 0; i < this.#words; i++) this.#nodes[node + KEY + i] = address[i];
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

  #isOwned(node: number): boolean {
    return (this.#nodes[node + META] & OWNED) !== 0;
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
