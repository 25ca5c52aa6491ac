import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, seconds } from '../machine/index.ts';
import { INFINITE } from './constants.ts';
import { HelloHistory } from './hello-history.ts';
import { DEFAULT_RTT_COST, linkCost, rttPenalty, rxcostOf, SmoothedMetric } from './metric.ts';
import { RttEstimator } from './rtt.ts';

/** A history of Hellos with these seqnos, a second apart. */
function heard(...seqnos: readonly number[]): HelloHistory {
  const history = new HelloHistory();
  for (const [i, seqno] of seqnos.entries()) history.receive(seqno, seconds(1), seconds(i));
  return history;
}

const silence = new HelloHistory();

describe('the history of Hellos (RFC 8966 Appendix A.1)', () => {
  it('counts those that were jumped over as missed, over the end of the numbers too', () => {
    const history = heard(65_534, 65_535, 2);
    assert.equal(history.heard(5), 3);
    assert.ok(history.isLossy);
    assert.equal(history.heard(2), 1);
  });

  it('undoes misses that were none, when the sender has just slowed down', () => {
    const history = heard(1, 2);
    assert.ok(history.miss(millis(4600)));
    assert.equal(history.heard(3), 0);
    assert.ok(history.receive(3, seconds(8), millis(4700)));
    assert.equal(history.heard(3), 3);
    assert.ok(!history.isLossy);
  });

  it('refuses what only somebody who started anew can have sent', () => {
    const history = heard(1, 2);
    assert.ok(!history.receive(20, seconds(1), seconds(3)));
    assert.ok(!history.receive(65_000, seconds(1), seconds(3)));
    assert.ok(history.receive(19, seconds(1), seconds(3)));
  });

  it('misses one when an interval and a half are over, then one each interval, until nothing is left', () => {
    const history = heard(1);
    assert.equal(history.dueAt, 1500);
    assert.ok(!history.miss(millis(1499)));
    assert.ok(history.miss(millis(1500)));
    assert.equal(history.dueAt, 2500);
    assert.ok(history.miss(seconds(30)));
    assert.ok(history.isEmpty);
    assert.equal(history.dueAt, Infinity);
  });
});

describe('the cost of a link', () => {
  it('is that of a wire while two of three Hellos of either kind come', () => {
    const cost = (multicast: HelloHistory, unicast: HelloHistory) => rxcostOf('wired', { multicast, unicast }, 96);
    assert.equal(cost(heard(1), silence), INFINITE);
    assert.equal(cost(heard(1, 2), silence), 96);
    assert.equal(cost(silence, heard(1, 3)), 96);
    assert.equal(cost(heard(1, 5), silence), INFINITE);
    assert.equal(linkCost('wired', 96, 200), 200);
    assert.equal(linkCost('wired', 96, INFINITE), INFINITE);
    assert.equal(linkCost('wired', 96, 0), 1, 'a link that costs nothing would make loops');
  });

  it('is the expected number of transmissions on a wireless link', () => {
    const halfHeard = heard(1, 3, 5, 7, 9, 11);
    const rxcost = rxcostOf('wireless', { multicast: halfHeard, unicast: silence }, 256);
    assert.equal(rxcost, 512);
    assert.equal(linkCost('wireless', rxcost, 512), 1024);
    assert.equal(rxcostOf('wireless', { multicast: silence, unicast: heard(1, 2, 3) }, 256), INFINITE);
  });

  it('grows with the round-trip time between two bounds (RFC 9616)', () => {
    const penalties = [0, 10, 65, 120, 5000].map((rtt) => rttPenalty(millis(rtt), DEFAULT_RTT_COST));
    assert.deepEqual(penalties, [0, 0, 75, 150, 150]);
  });
});

describe('the round-trip time', () => {
  const second = 1_000_000;

  it('is what is left when the other’s pause is taken off', () => {
    const estimator = new RttEstimator(undefined);
    // We sent at 10 s; it was heard there at 500 s, and answered at 503 s; that came at 13.04 s.
    estimator.handlePacket(503 * second, { origin: 10 * second, receive: 500 * second }, millis(13_040));
    assert.equal(estimator.rtt, 40);
    assert.deepEqual(estimator.timestamps, { origin: 503 * second, receive: 13.04 * second });
  });

  it('survives the end of the microseconds', () => {
    const estimator = new RttEstimator(undefined);
    const wrap = 0x1_0000_0000;
    const now = millis(wrap / 1000 + 1);
    estimator.handlePacket(500, { origin: wrap - 4000, receive: wrap - 500 }, now);
    assert.ok(Math.abs((estimator.rtt ?? 0) - 4) < 0.01, `${estimator.rtt}`);
  });

  it('is not taken from the future, from long ago, or from a clock that jumped', () => {
    const estimator = new RttEstimator(undefined);
    for (const echoed of [
      { origin: 20 * second, receive: 1 * second },
      { origin: 10 * second, receive: 600 * second },
    ]) {
      estimator.handlePacket(503 * second, echoed, millis(13_000));
    }
    estimator.handlePacket(503 * second, { origin: 10 * second, receive: 503 * second }, millis(400_000));
    assert.equal(estimator.rtt, undefined);
    estimator.handlePacket(100 * second, { origin: 399 * second, receive: 100 * second }, millis(400_000));
    assert.equal(estimator.rtt, undefined);
  });

  it('is smoothed, and its cost does not follow each tremble', () => {
    const estimator = new RttEstimator(DEFAULT_RTT_COST);
    estimator.sample(millis(60));
    const { penalty } = estimator;
    for (const rtt of [63, 58, 64, 57]) {
      estimator.sample(millis(rtt));
      assert.equal(estimator.penalty, penalty);
    }
    for (let i = 0; i < 40; i++) estimator.sample(millis(5));
    assert.equal(estimator.penalty, 0);
  });
});

describe('the smoothed metric', () => {
  it('follows slowly, and begins anew after infinity', () => {
    const metric = new SmoothedMetric(100, seconds(10), millis(0));
    metric.set(200, seconds(1));
    assert.equal(metric.smoothed(seconds(1)), 100);
    assert.ok(Math.abs(metric.smoothed(seconds(11)) - (200 - 100 / Math.E)) < 0.01);
    metric.set(INFINITE, seconds(11));
    metric.set(300, seconds(12));
    assert.equal(metric.smoothed(seconds(12)), 300);
  });
});
