import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Patience } from './patience.ts';

/** Somebody removes it the moment that it is there. @returns when it is put back, in seconds */
function fight(patience: Patience, key: string, times: number): number[] {
  let now = 0;
  return Array.from({ length: times }, () => {
    now = patience.dueAt(key, now);
    patience.putBack(key, now);
    return now / 1000;
  });
}

describe('what somebody removes again and again', () => {
  it('is put back at once a few times, and then ever more seldom, but once a minute', () => {
    assert.deepEqual(fight(new Patience(), 'rule', 13), [0, 0, 0, 0, 0, 1, 3, 7, 15, 31, 63, 123, 183]);
  });

  it('is told of with the time that it will stay away', () => {
    const patience = new Patience();
    const pauses = Array.from({ length: 6 }, () => patience.putBack('rule', 0));
    assert.deepEqual(pauses, [0, 0, 0, 0, 1000, 2000]);
  });

  it('does not keep anything else waiting', () => {
    const patience = new Patience();
    fight(patience, 'rule', 13);
    assert.equal(patience.dueAt('route', 5), 5);
  });

  it('is put back at once after it was left alone for a while', () => {
    const patience = new Patience();
    const [lastAt] = fight(patience, 'rule', 8).slice(-1);
    assert.ok(patience.dueAt('rule', lastAt * 1000 + 1000) > lastAt * 1000 + 1000);
    assert.equal(patience.dueAt('rule', lastAt * 1000 + 30_001), lastAt * 1000 + 30_001);
  });
});
