import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Direction } from './direction.ts';
import { seededRandom } from './seeded-random.ts';

const NOTHING = { delay: 0, jitter: 0, loss: 0, rate: undefined };

/** When each of `count` frames arrives that are sent `interval` milliseconds apart. */
function arrivals(direction: Direction, count: number, interval: number, bytes = 1500): (number | undefined)[] {
  return Array.from({ length: count }, (_, i) => direction.admit(bytes, i * interval));
}

describe('a direction of an emulated link', () => {
  it('lets frames through at once that it has nothing to do to', () => {
    assert.deepEqual(arrivals(new Direction(NOTHING, seededRandom(1)), 3, 10), [0, 10, 20]);
  });

  it('delays each frame by the same', () => {
    assert.deepEqual(arrivals(new Direction({ ...NOTHING, delay: 25 }, seededRandom(1)), 3, 10), [25, 35, 45]);
  });

  it('spreads the delay over the jitter to both sides, and keeps the order', () => {
    const direction = new Direction({ ...NOTHING, delay: 25, jitter: 20 }, seededRandom(1));
    const arrived = arrivals(direction, 2000, 50) as number[];
    const delays = arrived.map((at, i) => at - i * 50);
    assert.ok(Math.min(...delays) >= 5 && Math.max(...delays) <= 45);
    assert.ok(Math.min(...delays) < 7 && Math.max(...delays) > 43);
    const mean = delays.reduce((sum, one) => sum + one, 0) / delays.length;
    assert.ok(Math.abs(mean - 25) < 1);
    const close = arrivals(new Direction({ ...NOTHING, delay: 25, jitter: 20 }, seededRandom(1)), 500, 1) as number[];
    assert.deepEqual(
      close,
      close.toSorted((a, b) => a - b),
    );
  });

  it('loses the share asked for, the same frames for the same seed', () => {
    const lost = (seed: number) =>
      arrivals(new Direction({ ...NOTHING, loss: 0.05 }, seededRandom(seed)), 10_000, 1).flatMap((at, i) => (at === undefined ? i : [])); // prettier-ignore
    assert.ok(Math.abs(lost(1).length - 500) < 100);
    assert.deepEqual(lost(1), lost(1));
    assert.notDeepEqual(lost(1), lost(2));
  });

  it('sends no faster than its rate, and drops what would wait too long', () => {
    // 1 Mbit/s: a frame of 1,250 bytes takes 10 ms.
    const direction = new Direction({ ...NOTHING, rate: 1e6 }, seededRandom(1));
    const all = arrivals(direction, 1000, 1, 1250);
    const arrived = all.filter((at) => at !== undefined);
    assert.ok(arrived.every((at, i) => i === 0 || at - arrived[i - 1] >= 10 - 1e-9));
    assert.ok(Math.abs(arrived.length - 120) <= 2, `${arrived.length}: 1 s of sending and what waited at its end`);
    assert.ok(Math.max(...all.map((at, i) => (at ?? 0) - i)) <= 211);
  });

  it('holds a few frames however slow it is', () => {
    const direction = new Direction({ ...NOTHING, rate: 8000 }, seededRandom(1));
    assert.ok(arrivals(direction, 10, 0, 1500).every((at) => at !== undefined));
  });
});
