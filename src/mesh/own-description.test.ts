import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { parseEndpoint } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { identityFromSeed } from './identity.ts';
import { OwnDescription } from './own-description.ts';

const HOUR = 3_600_000;
const NOW = millis(1_800_000_000_000);
const identity = identityFromSeed(new Uint8Array(32).fill(1), identityPrimitives);
const self = {
  identity,
  meshName: 'test',
  hostName: 'h',
  wireGuardPublicKey: new Uint8Array(32).fill(2),
  wireGuardKeyProof: new Uint8Array(64),
  capabilities: [],
  networks: [],
};

function own(storedSequence: number, unixNow: Millis = NOW): OwnDescription {
  return new OwnDescription(self, identityPrimitives, storedSequence, unixNow);
}

describe('the sequence number', () => {
  it('is Unix time where that is ahead, else the next one', () => {
    assert.equal(own(0).current.sequence, NOW);
    assert.equal(own(NOW + 5).current.sequence, NOW + 6);
    const again = own(0);
    assert.equal(again.sign(NOW).sequence, NOW + 1);
    assert.equal(again.sign(millis(1)).sequence, NOW + 2);
  });

  it('goes beyond one that others know from an earlier life', () => {
    const subject = own(0);
    assert.equal(subject.adopt(NOW + 1000, NOW), true);
    assert.equal(subject.sign(NOW).sequence, NOW + 1001);
  });

  it('does not follow claims that no clock explains, nor old ones', () => {
    const subject = own(0);
    assert.equal(subject.adopt(NOW + 8 * 24 * HOUR, NOW), false);
    assert.equal(subject.adopt(NOW - 1, NOW), false);
    assert.equal(subject.sign(NOW).sequence, NOW + 1);
  });
});

describe('a description of our own', () => {
  it('must be refreshed after a third of its life, and when the clock was set', () => {
    const subject = own(0);
    assert.equal(subject.mustRefresh(millis(NOW + 8 * HOUR - 1)), false);
    assert.equal(subject.mustRefresh(millis(NOW + 8 * HOUR)), true);
    assert.equal(subject.mustRefresh(millis(NOW - 8 * HOUR)), true);
  });

  it('names endpoints that mean something to others, and notices when they change', () => {
    const subject = own(0);
    const endpoints = ['192.0.2.1:1', '[fe80::1%3]:1'].map((text) => parseEndpoint(text)!);
    assert.equal(subject.setEndpoints(endpoints), true);
    assert.equal(subject.setEndpoints(endpoints.slice(0, 1)), false);
    assert.deepEqual(subject.sign(NOW).endpoints, [{ endpoint: endpoints[0], kind: 'interface' }]);
  });
});
