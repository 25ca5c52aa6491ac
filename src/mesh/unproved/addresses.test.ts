import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, parseEndpoint, addressFromBytes, type Endpoint } from '../../inet/index.ts';
import { millis, seconds, type Millis } from '../../machine/index.ts';
import { Account } from './account.ts';
import { UnprovedAddresses, type Namer } from './addresses.ts';

const VICTIM = parseEndpoint('192.0.2.1:7077') as Endpoint;

function namer(kind: Namer['standing']['kind'] = 'proved', bytes = 0): Namer {
  const account = new Account();
  account.earn(bytes);
  return { account, standing: { kind } };
}

const OFTEN = new Array<Endpoint>(400).fill(VICTIM);

function admitted(addresses: UnprovedAddresses, by: Namer, tries: readonly Endpoint[], now: Millis): number {
  return tries.filter((to) => addresses.admits(to, by, now)).length;
}

/** Different ones. */
function others(count: number, first = 0): Endpoint[] {
  const addressAt = (i: number) => addressFromBytes(Uint8Array.of(10, 0, i >> 8, i & 255));
  return Array.from({ length: count }, (_, i) => endpointOf(addressAt(first + i), 7077));
}

describe('an address that has not answered', () => {
  it('is sent a few Hellos, and then one in eight seconds, whoever names it and pays', () => {
    const addresses = new UnprovedAddresses();
    const rich = () => namer('proved', 16_000);
    assert.equal(admitted(addresses, rich(), OFTEN, millis(0)), 7);
    assert.equal(admitted(addresses, rich(), OFTEN, seconds(8)), 1);
    assert.equal(admitted(addresses, rich(), OFTEN, seconds(12)), 0);
  });

  it('has its bound in common with all ports of its host, and with its /64', () => {
    const addresses = new UnprovedAddresses();
    const tries = Array.from({ length: 400 }, (_, i) => parseEndpoint(`[2001:db8::${i + 1}]:${7000 + i}`) as Endpoint);
    assert.equal(admitted(addresses, namer('proved', 16_000), tries, millis(0)), 7);
  });

  it('is free as soon as a node has answered there, for ten minutes', () => {
    const addresses = new UnprovedAddresses();
    admitted(addresses, namer(), OFTEN, millis(0));
    addresses.handleProved(VICTIM, seconds(1));
    assert.equal(admitted(addresses, namer(), OFTEN, seconds(600)), 400);
    assert.ok(admitted(addresses, namer(), OFTEN, seconds(602)) < 10);
  });

  it('has its share of what goes to all of them together', () => {
    const addresses = new UnprovedAddresses();
    const rich = Array.from({ length: 100 }, () => namer('proved', 16_000));
    const counts = rich.map((by, n) => admitted(addresses, by, others(50, 50 * n), millis(0)));
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      500,
    );
  });
});

describe('who names addresses that do not answer', () => {
  it('has four Hellos sent, one a minute after, and besides no more bytes than it has sent itself', () => {
    const addresses = new UnprovedAddresses();
    const [poor, paying] = [namer(), namer('proved', 10 * 156 + 100)];
    assert.equal(admitted(addresses, poor, others(400), millis(0)), 4);
    assert.equal(admitted(addresses, poor, others(400, 400), seconds(60)), 1);
    assert.equal(admitted(addresses, paying, others(400, 1000), seconds(60)), 14);
  });

  it('has nothing but what it paid for sent, if nobody else knows it', () => {
    assert.equal(admitted(new UnprovedAddresses(), namer('claimed', 2 * 156), others(400), millis(0)), 2);
  });

  it('shares with all others what is sent for nothing', () => {
    const addresses = new UnprovedAddresses();
    let count = 0;
    for (let n = 0; n < 1000; n++) count += admitted(addresses, namer(), others(4, 4 * n), millis(0));
    assert.equal(count, 64);
  });
});
