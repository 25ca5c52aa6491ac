import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Description } from './description.ts';
import { judge } from './trust.ts';

const description = { nodeId: 'ab'.repeat(28) } as Description;

describe('trust', () => {
  it('is given to everybody in an open mesh', () => {
    assert.deepEqual(judge({ mode: 'open' }, description), { trusted: true });
  });

  it('is given to pinned node ids only', () => {
    assert.deepEqual(judge({ mode: 'pinned', nodeIds: new Set([description.nodeId]) }, description), { trusted: true });
    const verdict = judge({ mode: 'pinned', nodeIds: new Set() }, description);
    assert.deepEqual(verdict, { trusted: false, reason: 'its node id is not pinned' });
  });
});
