import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, seconds } from '../machine/index.ts';
import { INFINITE } from './constants.ts';
import { isSeqnoLess, seqnoDistance, seqnoPlus } from './seqno.ts';
import { SourceTable } from './sources.ts';

const PREFIX = 'fd77::1/128';
const ROUTER = '0000000000000001';

describe('sequence numbers', () => {
  it('wrap around (RFC 8966 §3.2.1)', () => {
    assert.equal(seqnoPlus(0xffff, 2), 1);
    assert.ok(isSeqnoLess(0xfff0, 3));
    assert.ok(!isSeqnoLess(3, 0xfff0));
    assert.ok(!isSeqnoLess(7, 7));
    assert.equal(seqnoDistance(2, 0xffff), -3);
    // Half the circle away nothing is newer.
    assert.ok(!isSeqnoLess(0, 0x8000) && !isSeqnoLess(0x8000, 0));
  });
});

describe('a route to a source', () => {
  it('is feasible if it is newer or shorter than all that we announced (§3.5.1)', () => {
    const sources = new SourceTable(10, seconds(180));
    assert.ok(sources.isFeasible(PREFIX, ROUTER, { seqno: 1, metric: 900 }));
    for (const metric of [300, 200, 400]) sources.announce(PREFIX, ROUTER, { seqno: 0xffff, metric }, millis(0));
    for (const [seqno, metric, isFeasible] of [
      [0xffff, 199, true],
      [0xffff, 200, false],
      [0xfffe, 1, false],
      [0, 60_000, true],
      [0xfffe, INFINITE, true],
    ] as const) {
      assert.equal(sources.isFeasible(PREFIX, ROUTER, { seqno, metric }), isFeasible, `${seqno} ${metric}`);
    }
    assert.equal(sources.nextSeqno(PREFIX, ROUTER), 0);
    assert.ok(sources.isFeasible(PREFIX, '0000000000000002', { seqno: 0xffff, metric: 900 }), 'another source');
  });

  it('is feasible with the seqno that its owner is known to have, and no older one, once that is less than what we announced', () => {
    const sources = new SourceTable(10, seconds(180));
    sources.announce(PREFIX, ROUTER, { seqno: 5000, metric: 100 }, millis(0));
    assert.ok(!sources.limit(PREFIX, ROUTER, 5000));
    assert.ok(!sources.isFeasible(PREFIX, ROUTER, { seqno: 3000, metric: 200 }));
    assert.ok(sources.limit(PREFIX, ROUTER, 3000));
    assert.ok(sources.isFeasible(PREFIX, ROUTER, { seqno: 3000, metric: 60_000 }));
    assert.ok(!sources.isFeasible(PREFIX, ROUTER, { seqno: 2999, metric: 1 }));
    assert.equal(sources.nextSeqno(PREFIX, ROUTER), 3001);
  });

  it('is judged by what was announced in the last minutes', () => {
    const sources = new SourceTable(10, seconds(180));
    sources.announce(PREFIX, ROUTER, { seqno: 1, metric: 100 }, millis(0));
    sources.announce(PREFIX, ROUTER, { seqno: 1, metric: 500 }, seconds(100));
    sources.handleTimeout(seconds(279));
    assert.ok(!sources.isFeasible(PREFIX, ROUTER, { seqno: 1, metric: 100 }));
    sources.handleTimeout(seconds(280));
    assert.ok(sources.isFeasible(PREFIX, ROUTER, { seqno: 1, metric: 100 }));
    assert.equal(sources.nextTimeout(), undefined);
  });

  it('is not announced when there is no room to remember it', () => {
    const sources = new SourceTable(1, seconds(180));
    assert.ok(sources.announce(PREFIX, ROUTER, { seqno: 1, metric: 1 }, millis(0)));
    assert.ok(!sources.announce(PREFIX, '0000000000000002', { seqno: 1, metric: 1 }, millis(0)));
    assert.ok(sources.announce(PREFIX, ROUTER, { seqno: 2, metric: 1 }, millis(0)));
  });
});
