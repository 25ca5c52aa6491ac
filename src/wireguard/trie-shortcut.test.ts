import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import { PrefixTrie } from './prefix-trie.ts';
import { Shortcut } from './trie-shortcut.ts';

describe('a shortcut', () => {
  it('finds the slot that was written, wherever the bits begin', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 112 }), fc.integer({ min: 0, max: 0xffff }), (offset, slot) => {
        const address = new Int32Array(4).fill(-1);
        new Shortcut(offset).writeSlot(slot, address);
        assert.equal(new Shortcut(offset).slotOf(address), slot);
      }),
    );
  });
});

/** Numbers that look random and are the same in each run. */
function* numbers(): Generator<number> {
  for (let x = 1; ;) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0;
    yield x;
  }
}

for (const [words, common] of [
  [1, 0],
  [4, 0],
  [4, 20],
  [4, 100],
] as const) {
  describe(`a trie of ${words * 32} bits with many prefixes that share ${common} bits`, () => {
    const random = numbers();
    const next = () => random.next().value as number;
    const trie = new PrefixTrie<number>(words);
    const fresh = (): Int32Array => {
      const address = Int32Array.from({ length: 4 }, next);
      for (let bit = 0; bit < common; bit++) address[bit >>> 5] |= 1 << (31 - (bit & 31));
      return address;
    };
    for (let i = 0; i < 10_000; i++) {
      trie.set(fresh(), Math.min(words * 32, common + 8 + (i % 24)), i);
    }

    it('answers with the shortcut as without it, also for addresses that share nothing', () => {
      const addresses = Array.from({ length: 20_000 }, (_, i) =>
        i % 4 === 0 ? Int32Array.from({ length: 4 }, next) : fresh(),
      );
      const before = addresses.map((address) => trie.lookup(address));
      for (let i = 0; i < 60_000; i++) trie.lookup(addresses[i % addresses.length]);
      assert.deepEqual(
        addresses.map((address) => trie.lookup(address)),
        before,
      );
    });

    it('forgets it when a prefix comes or goes', () => {
      const address = fresh();
      const covered = trie.lookup(address);
      trie.set(address, words * 32, -1);
      assert.equal(trie.lookup(address), -1);
      trie.delete(address, words * 32);
      assert.equal(trie.lookup(address), covered);
    });
  });
}
