import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, seconds } from '../machine/index.ts';
import { PathDamping } from './path-damping.ts';

/** @returns which of the changes, at so many seconds, make the path unstable */
function change(damping: PathDamping, ...at: number[]): boolean[] {
  return at.map((second) => damping.handleChange(seconds(second)));
}

describe('the damping of a path', () => {
  it('lets a path change three times', () => {
    const damping = new PathDamping();
    assert.deepEqual(change(damping, 0, 1, 2), [false, false, false]);
    assert.equal(damping.isUnstable(seconds(3)), false);
  });

  it('takes it for unstable with the fourth change, which it says once', () => {
    const damping = new PathDamping();
    assert.deepEqual(change(damping, 0, 5, 10, 15, 20, 30), [false, false, false, true, false, false]);
    assert.equal(damping.isUnstable(seconds(31)), true);
  });

  it('never minds a path that changes once a minute', () => {
    const damping = new PathDamping();
    const minutes = Array.from({ length: 60 }, (_, minute) => 60 * minute);
    assert.ok(change(damping, ...minutes).every((isNews) => !isNews));
  });

  it('takes it for stable again when it has not changed for a while', () => {
    const damping = new PathDamping();
    change(damping, 0, 1, 2, 3);
    const { stableAt } = damping;
    assert.ok(stableAt > seconds(60) && stableAt < seconds(150), `${stableAt}`);
    assert.equal(damping.isUnstable(millis(stableAt - 1)), true);
    assert.equal(damping.isUnstable(millis(stableAt + 1)), false);
  });

  it('does not hold a path for more than four minutes after its last change, however often it changed', () => {
    const damping = new PathDamping();
    change(damping, ...Array.from({ length: 1000 }, (_, second) => second));
    assert.ok(damping.stableAt < seconds(999 + 240));
  });
});
