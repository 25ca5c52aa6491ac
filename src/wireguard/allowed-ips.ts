import { addressFromBytes, prefixOf, type Prefix } from '../inet/index.ts';
import { List, OrderedLists } from './ordered-lists.ts';
import { PrefixTrie } from './prefix-trie.ts';

/** Where addresses lie in the fixed headers of IPv4 (RFC 791) and IPv6 (RFC 8200). */
const IPV4 = { source: 12, destination: 16 } as const;
const IPV6 = { source: 8, destination: 24 } as const;

/**
 * Cryptokey routing (whitepaper §2): which peer a packet goes to, and which peer it may come from. A prefix belongs
 * to one owner; the longest prefix that covers an address decides.
 */
export class AllowedIps<Owner> {
  readonly #ipv4 = new PrefixTrie(1);
  readonly #ipv6 = new PrefixTrie(4);
  /** By the number that the tries know them by; 0 is nobody. */
  readonly #owners: (Owner | undefined)[] = [undefined];
  readonly #freeNumbers: number[] = [];
  readonly #holdings = new Map<Owner, Holding>();
  /** What each has, by `idOf`. */
  readonly #lists = new OrderedLists();
  /** The address that is being looked for, as big-endian words. Kept, because a lookup allocates nothing. */
  readonly #address = new Int32Array(4);

  /** Adds `prefix`, taking it from whoever has it now. */
  add(prefix: Prefix, owner: Owner): void {
    const { trie, length } = this.#locate(prefix);
    const known = trie.find(this.#address, length);
    // Also where it is this owner's: as with other implementations, it is then listed last.
    if (known >= 0) this.#lists.delete(this.#holdingAt(trie, known), this.#idOf(trie, known));
    const holding = this.#holdingOf(owner);
    const node = trie.set(this.#address, length, holding.number);
    this.#lists.add(holding, this.#idOf(trie, node));
  }

  /** Takes `prefix` away, if it belongs to `owner`. */
  remove(prefix: Prefix, owner: Owner): void {
    const { trie, length } = this.#locate(prefix);
    const node = trie.find(this.#address, length);
    if (node < 0 || this.#owners[trie.owner(node)] !== owner) return;
    this.#lists.delete(this.#holdingAt(trie, node), this.#idOf(trie, node));
    trie.delete(this.#address, length);
  }

  removeAll(owner: Owner): void {
    const holding = this.#holdings.get(owner);
    if (holding === undefined) return;
    for (const prefix of this.list(owner)) this.remove(prefix, owner);
    this.#holdings.delete(owner);
    this.#owners[holding.number] = undefined;
    this.#freeNumbers.push(holding.number);
  }

  list(owner: Owner): Prefix[] {
    const holding = this.#holdings.get(owner);
    if (holding === undefined) return [];
    return Array.from(this.#lists.values(holding), (id) => {
      const trie = id & 1 ? this.#ipv6 : this.#ipv4;
      const { bytes, length } = trie.prefix((id >>> 1) * trie.stride);
      return prefixOf(addressFromBytes(bytes), length);
    });
  }

  /** Whose allowed IP `prefix` itself is; longer and shorter ones do not count. */
  ownerOf(prefix: Prefix): Owner | undefined {
    const { trie, length } = this.#locate(prefix);
    const node = trie.find(this.#address, length);
    return node < 0 ? undefined : this.#owners[trie.owner(node)];
  }

  /** Who the IP packet at `offset` goes to. Reads its fixed header and allocates nothing. */
  lookupDestination(buffer: Uint8Array, offset: number): Owner | undefined {
    return this.#lookup(buffer, offset, IPV4.destination, IPV6.destination);
  }

  /** Who the IP packet at `offset` must have come from. Reads its fixed header and allocates nothing. */
  lookupSource(buffer: Uint8Array, offset: number): Owner | undefined {
    return this.#lookup(buffer, offset, IPV4.source, IPV6.source);
  }

  /** The length of the longest prefix that covers the source of the IP packet at `offset`, or -1. Slower. */
  sourcePrefixLength(buffer: Uint8Array, offset: number): number {
    return this.#read(buffer, offset, IPV4.source, IPV6.source)?.longest(this.#address) ?? -1;
  }

  #lookup(buffer: Uint8Array, offset: number, ipv4: number, ipv6: number): Owner | undefined {
    const trie = this.#read(buffer, offset, ipv4, ipv6);
    return trie === undefined ? undefined : this.#owners[trie.lookup(this.#address)];
  }

  /** Reads an address, which lies at one of the two places. @returns the trie of its family */
  #read(buffer: Uint8Array, offset: number, ipv4: number, ipv6: number): PrefixTrie | undefined {
    const version = buffer[offset] >>> 4;
    if (version === 4) {
      this.#address[0] = readWord(buffer, offset + ipv4);
      return this.#ipv4;
    }
    if (version !== 6) return undefined;
    for (let i = 0; i < 4; i++) this.#address[i] = readWord(buffer, offset + ipv6 + 4 * i);
    return this.#ipv6;
  }

  #holdingOf(owner: Owner): Holding {
    const known = this.#holdings.get(owner);
    if (known !== undefined) return known;
    const number = this.#freeNumbers.pop() ?? this.#owners.length;
    const holding = new Holding(number);
    this.#owners[number] = owner;
    this.#holdings.set(owner, holding);
    return holding;
  }

  /** Of the owner of `node`, which has one. */
  #holdingAt(trie: PrefixTrie, node: number): Holding {
    return this.#holdings.get(this.#owners[trie.owner(node)]!)!;
  }

  /** One number for each node of both tries. */
  #idOf(trie: PrefixTrie, node: number): number {
    return 2 * (node / trie.stride) + (trie === this.#ipv6 ? 1 : 0);
  }

  #locate({ address, length }: Prefix): { trie: PrefixTrie; length: number } {
    const { bytes } = address;
    for (let i = 0; 4 * i < bytes.length; i++) this.#address[i] = readWord(bytes, 4 * i);
    return { trie: address.family === 4 ? this.#ipv4 : this.#ipv6, length };
  }
}

/** The length of the longest of `prefixes` that covers the source of the IP packet at `offset`, or -1. */
export function longestCover(prefixes: readonly Prefix[], buffer: Uint8Array, offset: number): number {
  const source = offset + (buffer[offset] >>> 4 === 4 ? IPV4.source : IPV6.source);
  let longest = -1;
  for (const { address, length } of prefixes) {
    const isOfFamily = address.family === buffer[offset] >>> 4;
    if (isOfFamily && length > longest && commonBits(address.bytes, buffer, source, length) === length)
      longest = length;
  }
  return longest;
}

/** How many of the first `limit` bits of `bytes` are those at `at` of `buffer`. */
function commonBits(bytes: Uint8Array, buffer: Uint8Array, at: number, limit: number): number {
  for (let i = 0; 8 * i < limit; i++) {
    const difference = bytes[i] ^ buffer[at + i];
    if (difference !== 0) return Math.min(limit, 8 * i + Math.clz32(difference) - 24);
  }
  return limit;
}

/** What one owner has, in the order in which it was added. */
class Holding extends List {
  /** Of the owner. */
  readonly number: number;
  constructor(number: number) {
    super();
    this.number = number;
  }
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
}
