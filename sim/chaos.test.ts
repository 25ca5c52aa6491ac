/** A longer run, with other seeds, is `npm run chaos` (docs/testing.md). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatVerdict } from './verdict.ts';
import { verdictsOn } from './watched.ts';

/** As many as take less than a minute on two busy cores. */
const SEEDS = [1, 2, 3, 4, 6, 7, 8, 40, 41, 42];

describe('an attacker in random schedules, who tells lies of every kind', () => {
  const verdicts = verdictsOn({ seeds: SEEDS, only: undefined, mayShrink: true });
  for (const seed of SEEDS) {
    it(`parts no honest nodes, takes nothing of theirs and gets nothing for nothing: seed ${seed}`, async () => {
      const { value } = await verdicts.next();
      assert.ok(value !== undefined && value.unexplained.length === 0, value && formatVerdict(value));
    });
  }
});
