import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { List, OrderedLists } from './ordered-lists.ts';

describe('lists of numbers', () => {
  it('agree with a set each, whatever is added, moved and deleted', () => {
    const step = fc.record({ number: fc.nat(40), list: fc.nat(2), add: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const lists = new OrderedLists();
        const [ours, naive] = [[0, 1, 2].map(() => new List()), [0, 1, 2].map(() => new Set<number>())];
        for (const { number, list, add } of steps) {
          const known = naive.findIndex((set) => set.delete(number));
          if (known >= 0) lists.delete(ours[known], number);
          if (!add) continue;
          lists.add(ours[list], number);
          naive[list].add(number);
        }
        assert.deepEqual(
          ours.map((list) => [...lists.values(list)]),
          naive.map((set) => [...set]),
        );
      }),
    );
  });
});
