import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, type IpAddress } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { UnprovedAddresses } from './unproved-addresses.ts';

const address = (text: string) => parseAddress(text) as IpAddress;
const VICTIM = address('192.0.2.1');

function admitted(addresses: UnprovedAddresses, tries: number, now: Millis, to = VICTIM): number {
  return Array.from({ length: tries }, () => addresses.admits(to, now)).filter((is) => is).length;
}

describe('an address that has not answered', () => {
  it('is sent a few Hellos, and then one in eight seconds, whoever names it', () => {
    const addresses = new UnprovedAddresses();
    assert.equal(admitted(addresses, 400, millis(0)), 7);
    assert.equal(admitted(addresses, 400, seconds(8)), 1);
    assert.equal(admitted(addresses, 400, seconds(12)), 0);
  });

  it('is free as soon as a node has answered there, for ten minutes', () => {
    const addresses = new UnprovedAddresses();
    admitted(addresses, 400, millis(0));
    addresses.handleProved(VICTIM, seconds(1));
    assert.equal(admitted(addresses, 400, seconds(600)), 400);
    assert.ok(admitted(addresses, 400, seconds(602)) < 10);
  });

  it('has its share of what goes to all of them together', () => {
    const addresses = new UnprovedAddresses();
    const tries = Array.from({ length: 5000 }, (_, i) => address(`10.0.${i >> 8}.${i & 255}`));
    assert.equal(tries.filter((to) => addresses.admits(to, millis(0))).length, 500);
  });
});
