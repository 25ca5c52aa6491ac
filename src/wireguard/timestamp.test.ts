import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { millis } from '../machine/index.ts';
import { TIMESTAMP_GRANULARITY, isLater, timestampAt } from './timestamp.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('a timestamp', () => {
  it('is TAI64N: the epoch of Unix is 2^62 + 10 seconds', () => {
    assert.equal(hex(timestampAt(millis(0))), '400000000000000a00000000');
    assert.equal(hex(timestampAt(millis(1_700_000_000_000))), '400000006553f10a00000000');
  });

  it('does not tell the time finer than 16.8 ms', () => {
    assert.deepEqual(timestampAt(millis(5)), timestampAt(millis(16)));
    assert.ok(isLater(timestampAt(millis(17)), timestampAt(millis(16))));
  });

  it('is later when it was taken later by more than the granularity, and never later than itself', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 43 }), fc.integer({ min: 0, max: 1e6 }), (at, by) => {
        const earlier = timestampAt(millis(at));
        assert.equal(isLater(timestampAt(millis(at + TIMESTAMP_GRANULARITY + by)), earlier), true);
        assert.equal(isLater(earlier, earlier), false);
        assert.equal(isLater(earlier, timestampAt(millis(at + by))), false);
      }),
    );
  });
});
