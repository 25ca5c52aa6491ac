import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis } from '../machine/index.ts';
import { RoundTrip } from './round-trip.ts';

function after(...samples: number[]): RoundTrip {
  const roundTrip = new RoundTrip(millis(0));
  for (const sample of samples) roundTrip.handleSample(millis(sample));
  return roundTrip;
}

describe('the estimate of a round trip (RFC 6298)', () => {
  it('waits a second before the first sample, or twice what is known to be enough', () => {
    assert.equal(new RoundTrip(millis(20)).patience(), 1000);
    assert.equal(new RoundTrip(millis(1500)).patience(), 3000);
  });

  it('waits three times the first sample', () => {
    assert.equal(after(600).smoothed, 600);
    assert.equal(after(600).patience(), 1800);
  });

  it('weighs samples by an eighth, and their deviation by a quarter', () => {
    const roundTrip = after(800, 1600);
    assert.equal(roundTrip.smoothed, 900);
    // (3 * 400 + 800) / 4
    assert.equal(roundTrip.patience(), 900 + 4 * 500);
  });

  it('waits a tenth of a second longer than a steady round trip', () => {
    const roundTrip = after(...Array.from({ length: 100 }, () => 5));
    assert.ok(Math.abs(roundTrip.patience() - 105) < 1);
  });

  it('never waits for longer than five seconds', () => assert.equal(after(4000).patience(), 5000));
});
