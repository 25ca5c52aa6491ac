import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PrefixTrie } from './prefix-trie.ts';
import { addressBehind } from './range-table.ts';

describe('the address behind a prefix', () => {
  for (const [begin, length, behind] of [
    [[0x0a000000, 0, 0, 0], 8, [0x0b000000, 0, 0, 0]],
    [[0, 0xffffffff, 0, 0], 64, [1, 0, 0, 0]],
    [[0, 0, 0, 0xffffffff], 128, [0, 0, 1, 0]],
    [[0x7fffffff, 0xffffffff, 0xffff0000, 0], 80, [0x80000000, 0, 0, 0]],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], 128, [0, 0, 0, 0]],
    [[0x80000000, 0, 0, 0], 1, [0, 0, 0, 0]],
    [[0, 0, 0, 0], 0, [0, 0, 0, 0]],
  ] as const) {
    it(`carries as far as it must: ${begin.map((word) => word.toString(16)).join(' ')}/${length}`, () => {
      assert.deepEqual(addressBehind(Int32Array.from(begin), length), Int32Array.from(behind));
    });
  }
});

/** Numbers that look random and are the same in each run. */
function randomSequence(): () => number {
  let x = 1;
  return () => (x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0);
}

function masked(address: Int32Array, length: number): Int32Array {
  return address.map((word, i) => word & (length <= i * 32 ? 0 : -1 << Math.max(0, (i + 1) * 32 - length)));
}

/** The obvious way, as an oracle. */
class NaiveTrie {
  readonly #owners = new Map<string, number>();
  readonly #bits: number;
  constructor(bits: number) {
    this.#bits = bits;
  }
  set(address: Int32Array, length: number, owner: number): void {
    this.#owners.set(`${masked(address, length)}/${length}`, owner);
  }
  delete(address: Int32Array, length: number): void {
    this.#owners.delete(`${masked(address, length)}/${length}`);
  }
  lookup(address: Int32Array): number {
    for (let length = this.#bits; length >= 0; length--) {
      const owner = this.#owners.get(`${masked(address, length)}/${length}`);
      if (owner !== undefined) return owner;
    }
    return 0;
  }
}

const FEW = 300;

for (const [words, common, inOneSlot] of [
  [1, 0, false],
  [1, 4, false],
  [1, 0, true],
  [4, 0, false],
  [4, 20, false],
  [4, 100, false],
  [4, 16, true],
] as const) {
  const where = inOneSlot ? 'half of them in one slot' : 'spread over the slots';
  describe(`a trie of ${words * 32} bits with many prefixes that share ${common} bits, ${where}`, () => {
    const bits = words * 32;
    const next = randomSequence();
    const [trie, naive] = [new PrefixTrie(words), new NaiveTrie(bits)];
    const fresh = (): Int32Array => {
      const address = Int32Array.from({ length: words }, next);
      const fixed = inOneSlot && next() > 0 ? common + 16 : common;
      for (let bit = 0; bit < fixed; bit++) address[bit >>> 5] |= 1 << (31 - (bit & 31));
      return address;
    };
    const known: { address: Int32Array; length: number }[] = [];
    const add = (): void => {
      const length = Math.min(bits, common + 4 + ((next() >>> 8) % (inOneSlot ? bits - common : 28)));
      const prefix = { address: masked(fresh(), length), length };
      const owner = 1 + ((next() >>> 8) % 50);
      for (const each of [trie, naive]) each.set(prefix.address, length, owner);
      known.push(prefix);
    };
    const remove = (): void => {
      const [{ address, length }] = known.splice((next() >>> 8) % known.length, 1);
      if (trie.find(address, length) >= 0) trie.delete(address, length);
      naive.delete(address, length);
    };
    const assertSame = (): void => {
      for (let i = 0; i < FEW; i++) {
        const { address, length } = known[(next() >>> 8) % known.length];
        const behind = addressBehind(address, length);
        const last = behind.map((word, i) => (behind.subarray(i + 1).every((lower) => lower === 0) ? word - 1 : word));
        const anywhere = Int32Array.from({ length: words }, next);
        for (const probe of [fresh(), anywhere, address, behind, last]) {
          assert.equal(trie.lookup(probe), naive.lookup(probe), `${probe}`);
        }
      }
    };
    for (let i = 0; i < 12_000; i++) add();

    it('knows the owners that a map of all prefixes knows', assertSame);

    it('knows them while prefixes come and go, a default route and a prefix that shares nothing among them', () => {
      for (let round = 0; round < 10; round++) {
        for (let i = 0; i < FEW; i++) [add, remove][(next() >>> 8) & 1]();
        assertSame();
      }
      for (const length of [0, 3]) {
        for (const each of [trie, naive]) each.set(new Int32Array(words), length, 51 + length);
        assertSame();
      }
      for (const length of [0, 3]) {
        for (const each of [trie, naive]) each.delete(new Int32Array(words), length);
        assertSame();
      }
    });

    it('knows them when most have gone', () => {
      while (known.length > 500) remove();
      assertSame();
    });
  });
}
