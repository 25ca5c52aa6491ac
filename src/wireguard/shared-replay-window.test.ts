import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Counter } from '../crypto/primitives.ts';
import { exploreInterleavings, type Call } from './interleavings-for-testing.ts';
import { SHARED_REPLAY_WINDOW, SHARED_REPLAY_WINDOW_LANES, SharedReplayWindow } from './shared-replay-window.ts';

/** From this distance on a counter is too old for certain; below SHARED_REPLAY_WINDOW it never is. */
const CERTAINLY_OLD = SHARED_REPLAY_WINDOW + 16;

function newWindow(): SharedReplayWindow {
  const lanes = new Uint32Array(new SharedArrayBuffer(4 * (SHARED_REPLAY_WINDOW_LANES + 1)));
  return new SharedReplayWindow(lanes, 1);
}

function counterOf(value: number): Counter {
  return { high: Math.floor(value / 2 ** 32), low: value % 2 ** 32 };
}

describe('a shared replay window, used by one thread', () => {
  it('remembers at least 8,000 messages', () => {
    assert.ok(SHARED_REPLAY_WINDOW >= 8000);
  });

  it('accepts every counter once, the very first included', () => {
    const window = newWindow();
    for (const low of [0, 1, 2, 9]) assert.equal(window.accept({ high: 0, low }), true);
    for (const low of [0, 1, 2, 9]) assert.equal(window.accept({ high: 0, low }), false);
  });

  it('accepts the oldest counter within the window and refuses what is older for certain', () => {
    const window = newWindow();
    window.accept(counterOf(100_000));
    assert.equal(window.accept(counterOf(100_000 - SHARED_REPLAY_WINDOW + 1)), true);
    assert.equal(window.accept(counterOf(100_000 - CERTAINLY_OLD)), false);
  });

  it('agrees with a set of all counters, but for the few at its old end that it may refuse or remember', () => {
    const step = fc.oneof(fc.integer({ min: -200, max: 200 }), fc.integer({ min: -9000, max: 9000 }));
    const bases = [0, 2 ** 32 - 5000, 2 ** 33 - 300_000];
    fc.assert(
      fc.property(fc.constantFrom(...bases), fc.array(step, { maxLength: 300 }), (base, steps) => {
        const window = newWindow();
        const seen = new Set<number>();
        let greatest = 0;
        let at = base + 9000;
        for (const by of steps) {
          at = Math.max(0, at + by);
          const accepted = window.accept(counterOf(at));
          const distance = greatest - at;
          if (accepted) assert.ok(!seen.has(at) && distance < CERTAINLY_OLD, `counter ${at}`);
          else assert.ok(seen.has(at) || distance >= SHARED_REPLAY_WINDOW, `counter ${at}`);
          if (accepted) seen.add(at);
          greatest = Math.max(greatest, at);
        }
      }),
    );
  });

  it('takes no counter beyond those that it can tell apart', () => {
    const window = newWindow();
    assert.equal(window.accept({ high: 2, low: 0 }), false);
    assert.equal(window.accept({ high: 0xffff_ffff, low: 0 }), false);
    assert.equal(window.accept({ high: 1, low: 0xffff_ffff }), true);
    assert.equal(window.accept({ high: 1, low: 0xffff_ffff }), false);
  });

  it('accepts nothing once it is closed', () => {
    const window = newWindow();
    window.accept({ high: 0, low: 5 });
    window.close();
    for (const counter of [0, 6, 100_000, 2 ** 33 - 1]) assert.equal(window.accept(counterOf(counter)), false);
  });
});

describe('in every order of the steps of several threads, a shared replay window', () => {
  interface Outcome {
    readonly counter: number;
    readonly accepted: boolean;
  }

  /** Each thread takes in its counters, one after the other, after `before` have been accepted. */
  function explore(before: readonly number[], counters: readonly (readonly number[])[]): number {
    const lanes = new Uint32Array(new SharedArrayBuffer(4 * SHARED_REPLAY_WINDOW_LANES));
    const window = new SharedReplayWindow(lanes, 0);
    for (const counter of before) assert.equal(window.accept(counterOf(counter)), true);
    const threads = counters.map((some) =>
      some.map((counter) => () => ({ counter, accepted: window.accept(counterOf(counter)) })),
    );
    const orders = exploreInterleavings(threads, (calls) => checkCalls(before, calls));
    // The explorer took back every step, so that nothing is left of the last order.
    for (const counter of before) assert.equal(window.accept(counterOf(counter)), false);
    return orders;
  }

  function checkCalls(before: readonly number[], calls: readonly Call<Outcome>[]): void {
    const done = before.map((counter) => ({ result: { counter, accepted: true }, beganAt: 0, endedAt: 0 }));
    const all = [...done, ...calls];
    const accepted = all.filter(({ result }) => result.accepted).map(({ result }) => result.counter);
    assert.equal(new Set(accepted).size, accepted.length, `a counter was accepted twice: ${JSON.stringify(all)}`);
    for (const { result, beganAt, endedAt } of calls) {
      const { counter } = result;
      const isTooOld = all.some(
        (other) => other.result.accepted && other.endedAt < beganAt && other.result.counter - counter >= CERTAINLY_OLD,
      );
      if (result.accepted) {
        assert.ok(!isTooOld, `an old counter was accepted: ${JSON.stringify(all)}`);
        continue;
      }
      // What began before this ended may have come first: then a window that only one thread uses refuses, too.
      const excuse = all.some(
        (other) =>
          other.result.accepted &&
          other.beganAt <= endedAt &&
          (other.result.counter === counter || other.result.counter - counter >= SHARED_REPLAY_WINDOW),
      );
      assert.ok(excuse, `a fresh counter was refused: ${JSON.stringify(all)}`);
    }
  }

  const ROUND = SHARED_REPLAY_WINDOW + 8;

  for (const { of, before = [], counters } of [
    { of: 'one message replayed to three threads', counters: [[5], [5], [5]] },
    { of: 'messages of one block', counters: [[1], [2], [3]] },
    {
      of: 'messages of one block and a replay',
      counters: [
        [1, 2],
        [2, 1],
      ],
    },
    { of: 'a message and its replays after the window moved on', before: [7], counters: [[7], [7 + ROUND], [7]] },
    { of: 'three messages that fall on one cell', counters: [[3], [3 + ROUND], [3 + 2 * ROUND]] },
    { of: 'a replay while later blocks take the cell over', counters: [[3, 3], [3 + ROUND], [4 + ROUND]] },
    {
      of: 'one thread that runs ahead of another',
      before: [10],
      counters: [
        [9000, 20_000],
        [11, 12],
      ],
    },
    { of: 'an old message at the edge of the window', before: [ROUND], counters: [[1], [ROUND + 1], [2 * ROUND]] },
    {
      of: 'an old message after a jump of one thread and a smaller one of another',
      counters: [[20_000, 5000], [9000]],
    },
    { of: 'a jump and a replay of the jump', counters: [[2 ** 32 + 1], [2 ** 32 + 1], [2]] },
  ]) {
    it(`accepts no counter twice and refuses no fresh one: ${of}`, () => {
      assert.ok(explore(before, counters) > 1);
    });
  }

  it('accepts nothing in a call that begins after it was closed', () => {
    const lanes = new Uint32Array(new SharedArrayBuffer(4 * SHARED_REPLAY_WINDOW_LANES));
    const window = new SharedReplayWindow(lanes, 0);
    const accept = (counter: number) => () => window.accept(counterOf(counter));
    const close = () => (window.close(), 'closed' as const);
    exploreInterleavings<boolean | 'closed'>([[accept(1), accept(2)], [accept(30_000)], [close]], (calls) => {
      const closedAt = calls.find(({ result }) => result === 'closed')!.endedAt;
      for (const { result, beganAt } of calls) if (beganAt > closedAt) assert.equal(result, false);
    });
  });
});
