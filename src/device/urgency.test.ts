import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { millis } from '../machine/index.ts';
import { Urgency } from './urgency.ts';

describe('the urgency of the device thread', () => {
  let asked: boolean[];
  let isAllowed: boolean;
  let urgency: Urgency;
  let now: number;
  let refused: number;
  let taken: { reads: number; bytes: number };
  const start = () => {
    urgency = new Urgency((isRealTime) => {
      asked.push(isRealTime);
      return isAllowed;
    }, millis(now));
  };
  /** For `length` ms, works for `work` on `bytes`, of which `refusals` datagrams are refused, and waits for `wait`. */
  const turns = (length: number, { work = 0.3, wait = 0.05, reads = 1, bytes = 65_536, refusals = 0 }) => {
    for (const end = now + length; now < end;) {
      taken.reads += reads;
      taken.bytes += bytes;
      refused += refusals;
      now += work + wait;
      urgency.handleWait(millis(now - wait), millis(now), refused, taken);
    }
  };
  const FLOOD = { wait: 0.001, refusals: 40, bytes: 4000 };

  beforeEach(() => {
    [asked, isAllowed, now, refused] = [[], true, 1000, 0];
    taken = { reads: 0, bytes: 0 };
    start();
  });

  it('is there from the start, and stays while there is work for the peers, with sleep and without', () => {
    turns(5000, { wait: 0.05 });
    turns(5000, { wait: 0.001 });
    assert.deepEqual(asked, [true]);
  });

  it('ends when a flood keeps the thread busy, and comes back a second later', () => {
    turns(900, FLOOD);
    assert.deepEqual(asked, [true, false]);
    turns(1000, {});
    assert.deepEqual(asked, [true, false, true]);
  });

  it('stays in a flood that leaves time to sleep, or is a trickle', () => {
    turns(1000, { ...FLOOD, wait: 0.1 });
    turns(1000, { ...FLOOD, refusals: 1 });
    assert.deepEqual(asked, [true]);
  });

  it('ends when small packets wake the thread one by one', () => {
    turns(900, { work: 0.01, wait: 0.09, bytes: 1200 });
    assert.deepEqual(asked, [true, false]);
  });

  it('does not come back while many small packets gather, and comes back when there are few', () => {
    turns(900, { work: 0.01, wait: 0.09, bytes: 1200 });
    turns(10_000, { work: 0.3, wait: 0.05, reads: 20, bytes: 24_000 });
    assert.deepEqual(asked, [true, false]);
    turns(100, { work: 0.01, wait: 0.99, bytes: 84 });
    assert.deepEqual(asked, [true, false, true]);
  });

  it('stays when small packets come seldom, or large ones often', () => {
    turns(1000, { work: 0.01, wait: 0.99, bytes: 84 });
    turns(1000, { work: 0.05, wait: 0.05, bytes: 65_536 });
    assert.deepEqual(asked, [true]);
  });

  it('is asked for once where the host refuses it', () => {
    [asked, isAllowed] = [[], false];
    start();
    turns(5000, FLOOD);
    turns(5000, { work: 0.01, wait: 0.09, bytes: 1200 });
    assert.deepEqual(asked, [true]);
  });
});
