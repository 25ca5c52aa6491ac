import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, seconds } from '../machine/index.ts';
import { RateLimit, TokenBucket } from './rate-limit.ts';

describe('a token bucket', () => {
  it('lets a burst through, then so many a second', () => {
    const bucket = new TokenBucket({ perSecond: 2, burst: 3 });
    const passes = [0, 0, 0, 0, 500, 500, 1000].map((at) => bucket.take(millis(at)));
    assert.deepEqual(passes, [true, true, true, false, true, false, true]);
  });

  it('never holds more than a burst', () => {
    const bucket = new TokenBucket({ perSecond: 2, burst: 3 });
    const at = seconds(3600);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => bucket.take(at)),
      [true, true, true, false],
    );
  });
});

describe('a rate limit', () => {
  const rates = { everybody: { perSecond: 1, burst: 4 }, perSource: { perSecond: 1, burst: 2 }, maxSources: 2 };

  it('does not let one loud source silence the others', () => {
    const limit = new RateLimit(rates);
    for (let i = 0; i < 100; i++) limit.admits('loud', millis(0));
    assert.equal(limit.admits('quiet', millis(0)), true);
  });

  it('holds for all sources together', () => {
    const limit = new RateLimit(rates);
    const passes = ['a', 'b', 'c', 'd', 'e', 'f'].map((source) => limit.admits(source, millis(0)));
    assert.deepEqual(passes, [true, true, true, true, false, false]);
  });
});
