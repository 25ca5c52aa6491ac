import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { millis } from '../machine/index.ts';
import { Urgency } from './urgency.ts';

describe('the urgency of the device thread', () => {
  let asked: boolean[];
  let isAllowed: boolean;
  let urgency: Urgency;
  let now: number;
  const start = () => {
    urgency = new Urgency((isRealTime) => {
      asked.push(isRealTime);
      return isAllowed;
    }, millis(now));
  };
  /** Works for `work` ms on `bytes`, then waits for `wait`. */
  const turn = (work: number, wait: number, bytes = 65_536) => {
    urgency.handleWork(bytes);
    now += work + wait;
    urgency.handleWait(millis(now - wait), millis(now));
  };
  const turns = (length: number, work: number, wait: number, bytes?: number) => {
    for (const end = now + length; now < end;) turn(work, wait, bytes);
  };

  beforeEach(() => {
    [asked, isAllowed, now] = [[], true, 1000];
    start();
  });

  it('is there from the start, and stays while the thread finds time to sleep', () => {
    turns(10_000, 0.3, 0.05);
    assert.deepEqual(asked, [true]);
  });

  it('ends when there is always work, and comes back with the first sleep a second later', () => {
    turns(5000, 0.3, 0.001);
    assert.deepEqual(asked, [true, false]);
    turn(0.3, 0.05);
    assert.deepEqual(asked, [true, false, true]);
  });

  it('does not come back sooner, so that a flood with gaps has no more of it', () => {
    turns(60, 0.3, 0.001);
    turns(900, 0.3, 0.05);
    assert.deepEqual(asked, [true, false]);
  });

  it('ends when small packets wake the thread one by one', () => {
    turns(100, 0.01, 0.09, 1200);
    assert.deepEqual(asked, [true, false]);
  });

  it('stays when small packets come seldom, or large ones often', () => {
    turns(1000, 0.01, 0.99, 84);
    turns(1000, 0.05, 0.05, 65_536);
    assert.deepEqual(asked, [true]);
  });

  it('is asked for once where the host refuses it', () => {
    [asked, isAllowed] = [[], false];
    start();
    turns(5000, 0.3, 0.001);
    turns(5000, 0.01, 0.09, 1200);
    assert.deepEqual(asked, [true]);
  });
});
