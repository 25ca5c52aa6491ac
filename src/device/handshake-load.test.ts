import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis } from '../machine/index.ts';
import { HandshakeLoad } from './handshake-load.ts';

function countMany(load: HandshakeLoad, messages: number, at: number): boolean {
  let isUnderLoad = false;
  for (let i = 0; i < messages; i++) isUnderLoad = load.count(millis(at));
  return isUnderLoad;
}

describe('the load by handshakes', () => {
  it('is none while messages are few', () => {
    const load = new HandshakeLoad();
    for (let second = 0; second < 10; second++) assert.equal(countMany(load, 100, second * 1000), false);
  });

  it('begins within a second of many messages, and lasts for the next one', () => {
    const load = new HandshakeLoad();
    assert.equal(countMany(load, 301, 5000), true);
    assert.equal(load.count(millis(6100)), true);
    assert.equal(load.count(millis(7200)), false);
  });

  it('is forgotten after silence', () => {
    const load = new HandshakeLoad();
    assert.equal(countMany(load, 1000, 5000), true);
    assert.equal(load.count(millis(60_000)), false);
  });
});
