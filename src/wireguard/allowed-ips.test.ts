import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressFromBytes, formatPrefix, parsePrefix, prefixOf, type IpAddress, type Prefix } from '../inet/index.ts';
import { AllowedIps } from './allowed-ips.ts';

/** A packet to `destination` from `source`, behind a byte that is not part of it. */
function packet(destination: IpAddress, source = destination): Uint8Array {
  const bytes = new Uint8Array(41);
  bytes[1] = destination.family << 4;
  bytes.set(source.bytes, 1 + (destination.family === 4 ? 12 : 8));
  bytes.set(destination.bytes, 1 + (destination.family === 4 ? 16 : 24));
  return bytes;
}

const prefix = (text: string) => parsePrefix(text)!;
const destinationOf = (allowedIps: AllowedIps<string>, text: string) =>
  allowedIps.lookupDestination(packet(prefix(text).address), 1);

/** The obvious way, as an oracle. */
class NaiveAllowedIps {
  readonly #entries = new Map<string, { prefix: Prefix; owner: string }>();
  /** A prefix that is given again is the last. */
  add(prefix: Prefix, owner: string): void {
    this.#entries.delete(formatPrefix(prefix));
    this.#entries.set(formatPrefix(prefix), { prefix, owner });
  }
  remove(prefix: Prefix, owner: string): void {
    if (this.#entries.get(formatPrefix(prefix))?.owner === owner) this.#entries.delete(formatPrefix(prefix));
  }
  removeAll(owner: string): void {
    for (const [key, entry] of this.#entries) if (entry.owner === owner) this.#entries.delete(key);
  }
  ownerOf(prefix: Prefix): string | undefined {
    return this.#entries.get(formatPrefix(prefix))?.owner;
  }
  lookup(address: IpAddress): string | undefined {
    for (let length = address.bytes.length * 8; length >= 0; length--) {
      const entry = this.#entries.get(formatPrefix(prefixOf(address, length)));
      if (entry !== undefined) return entry.owner;
    }
    return undefined;
  }
  list(owner: string): string[] {
    return [...this.#entries].filter(([, entry]) => entry.owner === owner).map(([key]) => key);
  }
}

describe('allowed IPs (whitepaper §2)', () => {
  it('choose the longest prefix, in each family for itself', () => {
    const allowedIps = new AllowedIps<string>();
    for (const [text, owner] of [
      ['0.0.0.0/0', 'default'],
      ['10.0.0.0/8', 'ten'],
      ['10.1.0.0/16', 'ten-one'],
      ['10.1.2.3/32', 'host'],
      ['::/0', 'default6'],
      ['fd77::/16', 'mesh'],
      ['fd77::1/128', 'node'],
    ]) {
      allowedIps.add(prefix(text), owner);
    }
    for (const [address, owner] of [
      ['192.0.2.1', 'default'],
      ['10.2.0.0', 'ten'],
      ['10.1.255.255', 'ten-one'],
      ['10.1.2.3', 'host'],
      ['2001:db8::1', 'default6'],
      ['fd77::2', 'mesh'],
      ['fd77::1', 'node'],
    ]) {
      assert.equal(destinationOf(allowedIps, address), owner, address);
    }
  });

  it('tell sources from destinations', () => {
    const allowedIps = new AllowedIps<string>();
    allowedIps.add(prefix('10.0.0.1'), 'a');
    allowedIps.add(prefix('10.0.0.2'), 'b');
    const fromAToB = packet(prefix('10.0.0.2').address, prefix('10.0.0.1').address);
    assert.equal(allowedIps.lookupDestination(fromAToB, 1), 'b');
    assert.equal(allowedIps.lookupSource(fromAToB, 1), 'a');
  });

  it('know nobody for what is not an IP packet, or ends before its header does', () => {
    const allowedIps = new AllowedIps<string>();
    allowedIps.add(prefix('10.0.0.0/8'), 'ten');
    assert.equal(allowedIps.lookupDestination(Uint8Array.of(0x55, 1, 2, 3), 0), undefined);
    assert.equal(allowedIps.lookupDestination(Uint8Array.of(0x45), 0), undefined);
    assert.equal(allowedIps.lookupSource(new Uint8Array(0), 0), undefined);
  });

  it('move a prefix that another one has, and let only its owner remove it', () => {
    const allowedIps = new AllowedIps<string>();
    allowedIps.add(prefix('10.0.0.0/8'), 'a');
    allowedIps.add(prefix('10.0.0.0/8'), 'b');
    assert.deepEqual([allowedIps.list('a'), allowedIps.list('b').map(formatPrefix)], [[], ['10.0.0.0/8']]);
    allowedIps.remove(prefix('10.0.0.0/8'), 'a');
    assert.equal(destinationOf(allowedIps, '10.0.0.1'), 'b');
    allowedIps.remove(prefix('10.0.0.0/8'), 'b');
    assert.equal(destinationOf(allowedIps, '10.0.0.1'), undefined);
  });

  it('list the prefixes of a peer in the order in which they came', () => {
    const allowedIps = new AllowedIps<string>();
    const texts = ['fd00::/8', '10.0.0.0/8', '0.0.0.0/0', '::/0', '192.0.2.1/32'];
    for (const text of ['192.0.2.1/32', ...texts]) allowedIps.add(prefix(text), 'a');
    assert.deepEqual(allowedIps.list('a').map(formatPrefix), texts, 'one that is given again is the last');
  });

  it('agree with a map of all prefixes, whatever is added and removed', () => {
    // Few different bits, so that prefixes cover, fork and meet again.
    const address = fc.oneof(
      fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: 4, maxLength: 4 }),
      fc.array(fc.constantFrom(0, 128), { minLength: 16, maxLength: 16 }),
    );
    const owner = fc.constantFrom('a', 'b', 'c');
    const kind = fc.constantFrom('add', 'add', 'add', 'remove', 'removeAll' as const);
    const step = fc.record({ kind, address, owner, length: fc.nat(128) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.array(address, { maxLength: 20 }), (steps, probes) => {
        const [allowedIps, naive] = [new AllowedIps<string>(), new NaiveAllowedIps()];
        for (const { kind, address, owner, length } of steps) {
          const changed = prefixOf(addressFromBytes(Uint8Array.from(address)), length % (address.length * 8 + 1));
          for (const each of [allowedIps, naive]) {
            if (kind === 'removeAll') each.removeAll(owner);
            else each[kind as 'add' | 'remove'](changed, owner);
          }
        }
        for (const probe of [...probes, ...steps.map((step) => step.address)]) {
          const address = addressFromBytes(Uint8Array.from(probe));
          assert.equal(allowedIps.lookupDestination(packet(address), 1), naive.lookup(address));
        }
        for (const owner of ['a', 'b', 'c']) {
          assert.deepEqual(allowedIps.list(owner).map(formatPrefix), naive.list(owner));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('agree with a map of all prefixes at 100,000 of them, while they move and go', () => {
    const random = randomSequence(1);
    const [allowedIps, naive] = [new AllowedIps<string>(), new NaiveAllowedIps()];
    const owner = (): string => `owner ${random(1000)}`;
    // The first bytes are few, so that prefixes lie within each other at every depth.
    const someAddress = (): IpAddress => {
      const bytes = Uint8Array.from({ length: random(2) === 0 ? 4 : 16 }, (_, i) => (i < 2 ? random(4) : random(256)));
      return addressFromBytes(bytes);
    };
    const known: Prefix[] = [];
    for (let i = 0; i < 100_000; i++) {
      const address = someAddress();
      known.push(prefixOf(address, address.bytes.length * 4 + random(address.bytes.length * 4 + 1)));
      const to = owner();
      for (const each of [allowedIps, naive]) each.add(known[i], to);
    }
    const assertSame = (): void => {
      for (let i = 0; i < 3000; i++) {
        const address = random(3) === 0 ? someAddress() : known[random(known.length)].address;
        assert.equal(allowedIps.lookupDestination(packet(address), 1), naive.lookup(address));
        const prefix = random(2) === 0 ? known[random(known.length)] : prefixOf(address, address.bytes.length * 8);
        assert.equal(allowedIps.ownerOf(prefix), naive.ownerOf(prefix));
      }
      for (let i = 0; i < 20; i++) {
        const of = owner();
        assert.deepEqual(allowedIps.list(of).map(formatPrefix), naive.list(of));
      }
    };
    assertSame();
    for (let i = 0; i < 100_000; i++) {
      const [prefix, to, kind] = [known[random(known.length)], owner(), random(3) === 0 ? 'remove' : 'add'] as const;
      const from = kind === 'remove' ? (naive.ownerOf(prefix) ?? to) : to;
      for (const each of [allowedIps, naive]) each[kind](prefix, from);
    }
    assertSame();
    for (let i = 0; i < 10; i++) for (const each of [allowedIps, naive]) each.removeAll(`owner ${i}`);
    assertSame();
  });
});

/** Numbers below a bound, the same in every run: a linear congruential generator. */
function randomSequence(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}
