import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseEndpoint, type Endpoint } from '../../inet/index.ts';
import { millis, seconds } from '../../machine/index.ts';
import { FailedEndpoints } from './failed-endpoints.ts';

const LIE = parseEndpoint('192.0.2.1:7077') as Endpoint;

describe('an endpoint where a node answered and had no session', () => {
  it('is left alone for 15 s, then twice as long each time, up to ten minutes', () => {
    const failed = new FailedEndpoints();
    let now = millis(0);
    const waits = Array.from({ length: 8 }, () => {
      failed.add(LIE, now);
      const before = now;
      while (failed.isLeftAlone(LIE, now)) now = millis(now + 1000);
      return (now - before) / 1000;
    });
    assert.deepEqual(waits, [15, 30, 60, 120, 240, 480, 600, 600]);
  });

  it('is like any other again after a session, or when it has long been good', () => {
    const failed = new FailedEndpoints();
    failed.add(LIE, seconds(0));
    failed.forgive(LIE);
    assert.equal(failed.isLeftAlone(LIE, seconds(1)), false);
    failed.add(LIE, seconds(1));
    failed.add(LIE, seconds(700));
    assert.equal(failed.isLeftAlone(LIE, seconds(716)), false);
  });

  it('takes the place of the one that failed longest ago when there are many', () => {
    const failed = new FailedEndpoints();
    const at = (port: number) => parseEndpoint(`192.0.2.1:${port}`) as Endpoint;
    for (let port = 1; port <= 1000; port++) failed.add(at(port), seconds(0));
    const kept = Array.from({ length: 1000 }, (_, i) => failed.isLeftAlone(at(i + 1), seconds(1)));
    assert.equal(kept.filter((is) => is).length, 32);
  });
});
