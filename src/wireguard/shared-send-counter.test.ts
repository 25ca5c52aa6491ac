import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exploreInterleavings } from './interleavings-for-testing.ts';
import { SHARED_REJECT_AFTER_MESSAGES, SharedSendCounter } from './shared-send-counter.ts';

function newCounter(claimed = 0) {
  const lanes = new Uint32Array(new SharedArrayBuffer(8));
  lanes[1] = claimed;
  return { lanes, counter: new SharedSendCounter(lanes, 1) };
}

describe('a shared send counter', () => {
  it('gives out counters in turn, from 0', () => {
    const { lanes, counter } = newCounter();
    assert.deepEqual(
      [3, 1, 64].map((count) => counter.claim(count)),
      [0, 3, 4],
    );
    assert.deepEqual([counter.claimed, lanes[0]], [68, 0]);
  });

  it('gives out the last one, and then stays where it is however often it is asked', () => {
    const { counter } = newCounter(SHARED_REJECT_AFTER_MESSAGES - 3);
    assert.equal(counter.claim(4), -1);
    assert.equal(counter.claim(3), SHARED_REJECT_AFTER_MESSAGES - 3);
    for (let i = 0; i < 100_000; i++) assert.equal(counter.claim(1000), -1);
    assert.equal(counter.claimed, SHARED_REJECT_AFTER_MESSAGES);
  });

  it('gives out nothing once it is closed', () => {
    const { counter } = newCounter();
    counter.close();
    assert.equal(counter.claim(1), -1);
  });
});

describe('in every order of the steps of three threads, a shared send counter', () => {
  /** Three threads of two claims each, of `sizes`. */
  function exploreClaims(claimed: number, sizes: readonly (readonly number[])[], check: (firsts: number[]) => void) {
    const { counter, lanes } = newCounter(claimed);
    const threads = sizes.map((counts) => counts.map((count) => () => ({ first: counter.claim(count), count })));
    return exploreInterleavings(threads, (calls) => {
      const counters = calls.flatMap(({ result: { first, count } }) =>
        first < 0 ? [] : Array.from({ length: count }, (_, i) => first + i),
      );
      counters.sort((a, b) => a - b);
      assert.ok(lanes[1] <= SHARED_REJECT_AFTER_MESSAGES);
      check(counters);
    });
  }

  it('gives each counter to one of them, and leaves none out', () => {
    const orders = exploreClaims(0, [[2, 1], [3], [1]], (counters) => {
      assert.deepEqual(counters, [0, 1, 2, 3, 4, 5, 6]);
    });
    assert.ok(orders > 100, `${orders} orders`);
  });

  it('gives each to one of them at the end, and none beyond it', () => {
    const start = SHARED_REJECT_AFTER_MESSAGES - 4;
    exploreClaims(start, [[2, 2], [3], [2]], (counters) => {
      assert.equal(new Set(counters).size, counters.length);
      assert.ok(counters.every((counter) => counter < SHARED_REJECT_AFTER_MESSAGES));
      assert.ok(counters.length >= 3);
    });
  });

  it('gives nothing to a claim that begins after it was closed', () => {
    const { counter } = newCounter();
    const claim = () => counter.claim(1);
    const close = () => (counter.close(), 'closed' as const);
    exploreInterleavings<number | 'closed'>([[claim, claim], [claim], [close]], (calls) => {
      const closedAt = calls.find(({ result }) => result === 'closed')!.endedAt;
      for (const { result, beganAt } of calls) if (beganAt > closedAt) assert.equal(result, -1);
      const given = calls.map(({ result }) => result).filter((result) => typeof result === 'number' && result >= 0);
      assert.equal(new Set(given).size, given.length);
    });
  });
});

describe('the explorer of interleavings', () => {
  it('goes through all orders of the steps', () => {
    const lanes = new Uint32Array(1);
    const step = () => Atomics.add(lanes, 0, 1);
    assert.equal(
      exploreInterleavings([[step, step], [step, step], [step]], () => {}),
      30, // 5! / (2! 2! 1!)
    );
  });

  it('finds the counter that two threads get when reading and writing are two steps', () => {
    const lanes = new Uint32Array(1);
    const claimWrongly = () => {
      const next = Atomics.load(lanes, 0);
      Atomics.store(lanes, 0, next + 1);
      return next;
    };
    let twice = 0;
    exploreInterleavings([[claimWrongly], [claimWrongly]], ([a, b]) => {
      if (a.result === b.result) twice++;
    });
    assert.equal(twice, 4);
  });
});
