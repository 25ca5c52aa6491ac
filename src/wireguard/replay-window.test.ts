import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Counter } from '../crypto/primitives.ts';
import { REPLAY_WINDOW, ReplayWindow } from './replay-window.ts';

function counterOf(value: bigint): Counter {
  return { high: Number(value >> 32n), low: Number(value & 0xffffffffn) };
}

/** The obvious way, as an oracle. */
class NaiveWindow {
  readonly #seen = new Set<bigint>();
  #greatest = 0n;
  accept(value: bigint): boolean {
    if (this.#greatest - value >= BigInt(REPLAY_WINDOW) || this.#seen.has(value)) return false;
    this.#seen.add(value);
    if (value > this.#greatest) this.#greatest = value;
    return true;
  }
}

describe('the replay window', () => {
  it('remembers at least 8,000 messages', () => {
    assert.ok(REPLAY_WINDOW >= 8000);
  });

  it('accepts every counter once, the very first included', () => {
    const window = new ReplayWindow();
    for (const low of [0, 1, 2]) assert.equal(window.accept({ high: 0, low }), true);
    for (const low of [0, 1, 2]) assert.equal(window.accept({ high: 0, low }), false);
  });

  it('accepts the oldest counter within the window and refuses the next older one', () => {
    const window = new ReplayWindow();
    window.accept({ high: 0, low: 100_000 });
    assert.equal(window.accept({ high: 0, low: 100_000 - REPLAY_WINDOW + 1 }), true);
    assert.equal(window.accept({ high: 0, low: 100_000 - REPLAY_WINDOW }), false);
  });

  it('forgets nothing when a counter far ahead wraps the ring', () => {
    const window = new ReplayWindow();
    window.accept({ high: 0, low: 5 });
    assert.equal(window.accept({ high: 7, low: 5 }), true);
    assert.equal(window.accept({ high: 7, low: 5 }), false);
    assert.equal(window.accept({ high: 0, low: 5 }), false);
    assert.equal(window.accept({ high: 7, low: 4 }), true);
  });

  it('agrees with a set of all counters, also where the low half wraps and beyond 2^53', () => {
    const bases = [0n, 2n ** 32n - 5000n, 2n ** 53n - 9000n, 2n ** 64n - 30_000n];
    const step = fc.oneof(fc.integer({ min: -200, max: 200 }), fc.integer({ min: -9000, max: 9000 }));
    fc.assert(
      fc.property(fc.constantFrom(...bases), fc.array(step, { maxLength: 300 }), (base, steps) => {
        const window = new ReplayWindow();
        const naive = new NaiveWindow();
        let at = base + 9000n;
        for (const by of steps) {
          at += BigInt(by);
          if (at < 0n || at >= 2n ** 64n) at = base;
          assert.equal(window.accept(counterOf(at)), naive.accept(at), `counter ${at}`);
        }
      }),
    );
  });
});
