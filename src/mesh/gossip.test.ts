import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Newest } from './gossip.ts';
import { MAX_SUMMARY_ENTRIES } from './messages.ts';

describe('news', () => {
  it('is what is newer than both what was accepted and what was refused', () => {
    const newest = new Newest();
    newest.accept({ nodeId: 'a', sequence: 5 });
    assert.equal(newest.isNews({ nodeId: 'a', sequence: 5 }), false);
    assert.equal(newest.isNews({ nodeId: 'a', sequence: 6 }), true);
    newest.refuse({ nodeId: 'a', sequence: 6 });
    assert.equal(newest.isNews({ nodeId: 'a', sequence: 6 }), false);
    assert.equal(newest.isNews({ nodeId: 'a', sequence: 7 }), true);
    assert.equal(newest.sequenceOf('a'), 5);
  });

  it('of a refused node is refused for the first time once', () => {
    const newest = new Newest();
    assert.deepEqual(
      [1, 2, 3].map((sequence) => newest.refuse({ nodeId: 'a', sequence })),
      [true, false, false],
    );
  });

  it('is summed up in pages that fit into a message, refused nodes left out', () => {
    const newest = new Newest();
    for (let n = 0; n < MAX_SUMMARY_ENTRIES + 1; n++) newest.accept({ nodeId: `${n}`, sequence: 1 });
    newest.refuse({ nodeId: 'x', sequence: 1 });
    assert.deepEqual(
      newest.summaries().map((page) => page.length),
      [MAX_SUMMARY_ENTRIES, 1],
    );
  });
});
