import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { addressFromBytes, formatAddress, parseAddress } from './address.ts';

const canonical = (text: string): string | undefined => {
  const address = parseAddress(text);
  return address === undefined ? undefined : formatAddress(address);
};

describe('the text of an address', () => {
  for (const [text, written] of [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::10.0.0.1', '::a00:1'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['::ffff:a00:1', '::ffff:10.0.0.1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ]) {
    it(`is ${written} for ${text} (RFC 5952)`, () => {
      assert.equal(canonical(text), written);
    });
  }

  it('is that of no address if anything is wrong with it', () => {
    for (const text of [
      '',
      ':',
      ':::',
      '10.0.0',
      '010.0.0.1',
      '256.0.0.1',
      '1:2:3:4:5:6:7',
      '1:2:3:4::5:6:7:8',
      '1::2::3',
    ]) {
      assert.equal(canonical(text), undefined, text);
    }
    for (const text of [
      'fe80::1%lo',
      '10.0.0.1::',
      '::10.0.0.1:1',
      '12345::',
      ' ::',
      '::g',
      '1:2:3:4:5:6:7:10.0.0.1',
    ]) {
      assert.equal(canonical(text), undefined, text);
    }
  });

  it('is an address just where Node says so', () => {
    const piece = fc.constantFrom('0', '1', '10.0.0.1', 'ffff', 'db8', ':', ':', '::', '.', '255', '00', 'g');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
        const text = pieces.join('');
        assert.equal(parseAddress(text) !== undefined, isIPv4(text) || isIPv6(text), text);
      }),
      { numRuns: 20_000 },
    );
  });

  it('agrees with another implementation, and is read back', () => {
    const word = fc.constantFrom(0, 0, 0, 1, 0xffff, 0xdb8);
    fc.assert(
      fc.property(fc.array(word, { minLength: 8, maxLength: 8 }), (words) => {
        const address = addressFromBytes(Uint8Array.from(words.flatMap((group) => [group >>> 8, group & 0xff])));
        const text = formatAddress(address);
        assert.deepEqual(parseAddress(text), address);
        if (!text.includes('.')) assert.equal(text, new ipaddr.IPv6(words).toRFC5952String());
      }),
    );
  });
});
