import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress } from '../inet/index.ts';
import { millis } from '../machine/index.ts';
import { RateLimiter } from './rate-limiter.ts';

const RATE = { perSecond: 20, burst: 5, othersPerSecond: 100 };

const allowed = (limiter: RateLimiter, address: string, count: number, at: number) =>
  Array.from({ length: count }, () => limiter.allow(parseAddress(address)!.bytes, millis(at))).filter((yes) => yes)
    .length;

describe('the rate limiter', () => {
  it('lets a source have 5 at once and 20 a second', () => {
    const limiter = new RateLimiter(RATE);
    assert.equal(allowed(limiter, '192.0.2.1', 10, 0), 5);
    assert.equal(allowed(limiter, '192.0.2.1', 10, 100), 2);
    assert.equal(allowed(limiter, '192.0.2.2', 10, 100), 5);
    assert.equal(allowed(limiter, '192.0.2.1', 10, 10_000), 5);
  });

  it('tells who is exhausted without taking anything', () => {
    const limiter = new RateLimiter(RATE);
    const source = parseAddress('192.0.2.1')!.bytes;
    for (let i = 0; i < 5; i++) {
      assert.equal(limiter.isExhausted(source, millis(0)), false);
      assert.equal(limiter.allow(source, millis(0)), true);
    }
    assert.equal(limiter.isExhausted(source, millis(0)), true);
    assert.equal(limiter.isExhausted(source, millis(50)), false);
  });

  it('takes an IPv6 /64 for one source', () => {
    const limiter = new RateLimiter(RATE);
    assert.equal(allowed(limiter, '2001:db8::1', 10, 0), 5);
    assert.equal(allowed(limiter, '2001:db8::2', 10, 0), 0);
    assert.equal(allowed(limiter, '2001:db8:0:1::1', 10, 0), 5);
  });

  it('does not grow without bound: beyond 8,192 sources the others share a rate, until some fall silent', () => {
    const limiter = new RateLimiter(RATE);
    const source = (i: number) => Uint8Array.of(10, i >>> 16, i >>> 8, i);
    for (let i = 0; i < 8192; i++) assert.equal(limiter.allow(source(i), millis(0)), true);
    const others = Array.from({ length: 200 }, (_, i) => limiter.allow(source(9000 + i), millis(1)));
    assert.equal(others.filter((yes) => yes).length, 100);
    assert.equal(limiter.isExhausted(source(9500), millis(1)), true);
    assert.equal(limiter.allow(source(9000), millis(1000)), true);
    assert.equal(allowed(limiter, '10.0.35.40', 10, 1000), 4);
  });
});
