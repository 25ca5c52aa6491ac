import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FirstContact } from './first-contact.ts';

describe('the first handshake with a node', () => {
  it('is repeated every second after the first, for ten seconds of traffic', () => {
    const contact = new FirstContact();
    const asked = Array.from({ length: 30 }, () => contact.handleActive(false));
    assert.deepEqual(asked.slice(0, 3), [false, true, true]);
    assert.equal(asked.filter((isAsked) => isAsked).length, 9);
  });

  it('is not where there has been one', () => {
    const contact = new FirstContact();
    assert.equal(contact.handleActive(false), false);
    assert.equal(contact.handleActive(true), false);
  });
});
