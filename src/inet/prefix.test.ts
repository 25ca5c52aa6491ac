import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addressFromBytes } from './address.ts';
import { formatPrefix, isHostPrefix, parsePrefix, prefixContains, prefixOf, prefixWithout } from './prefix.ts';

const prefix = (text: string) => parsePrefix(text)!;

describe('a prefix', () => {
  for (const [outer, inner, contained] of [
    ['10.0.0.0/8', '10.20.0.0/16', true],
    ['10.0.0.0/8', '10.0.0.0/8', true],
    ['10.20.0.0/16', '10.0.0.0/8', false],
    ['10.0.0.0/8', '11.0.0.0/8', false],
    ['0.0.0.0/0', '192.0.2.1/32', true],
    ['0.0.0.0/0', '::/0', false],
    ['fd77::/16', 'fd77:1::/120', true],
  ] as const) {
    it(`${outer} ${contained ? 'contains' : 'does not contain'} ${inner}`, () =>
      assert.equal(prefixContains(prefix(outer), prefix(inner)), contained));
  }

  it('is of one host or of more', () => {
    assert.ok(isHostPrefix(prefix('10.0.0.1/32')));
    assert.ok(!isHostPrefix(prefix('fd77::/32')));
  });

  it('less another is what lies around it', () => {
    const without = (a: string, b: string) => prefixWithout(prefix(a), prefix(b)).map(formatPrefix);
    assert.deepEqual(without('10.0.0.0/8', '10.0.0.0/10'), ['10.128.0.0/9', '10.64.0.0/10']);
    assert.deepEqual(without('10.0.0.0/8', '192.0.2.0/24'), ['10.0.0.0/8']);
    assert.deepEqual(without('10.20.0.0/16', '10.0.0.0/8'), []);
    assert.deepEqual(without('0.0.0.0/0', 'fd77::/16'), ['0.0.0.0/0']);
  });

  it('less another covers every address of the one once, and none of the other', () => {
    const bits = (length: number) => fc.integer({ min: 0, max: length });
    const address = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addressFromBytes);
    fc.assert(
      fc.property(address, address, bits(32), bits(32), (host, other, outer, inner) => {
        const around = prefixOf(other, outer);
        const hole = prefixOf(other, inner);
        const covers = prefixWithout(around, hole).filter((part) => prefixContains(part, prefixOf(host, 32))).length;
        const isWanted = prefixContains(around, prefixOf(host, 32)) && !prefixContains(hole, prefixOf(host, 32));
        assert.equal(covers, isWanted ? 1 : 0);
      }),
    );
  });
});
