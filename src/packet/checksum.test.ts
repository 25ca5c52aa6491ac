import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { naiveChecksum } from '../../test/packets.ts';
import { checksumOf, foldSum, sumWords } from './checksum.ts';

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

describe('the Internet checksum', () => {
  it('is that of the example in RFC 1071 §3', () => {
    const view = viewOf(Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7));
    assert.equal(foldSum(sumWords(view, 0, 8)), 0xddf2);
    assert.equal(checksumOf(sumWords(view, 0, 8)), 0x220d);
  });

  it('is that of its naive twin, for any bytes, position and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(8), fc.nat(8), (bytes, skipped, left) => {
        const offset = Math.min(skipped, bytes.length);
        const length = Math.max(0, bytes.length - offset - left);
        assert.equal(
          checksumOf(sumWords(viewOf(bytes), offset, length)),
          naiveChecksum(bytes.subarray(offset, offset + length)),
        );
      }),
    );
  });

  it('can be taken in parts of even length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 300 }), fc.nat(), (bytes, at) => {
        const cut = (at % bytes.length) & ~1;
        const view = viewOf(bytes);
        const sum = sumWords(view, 0, cut) + sumWords(view, cut, bytes.length - cut);
        assert.equal(checksumOf(sum), naiveChecksum(bytes));
      }),
    );
  });

  it('loses no carry in the largest packet', () => {
    const bytes = new Uint8Array(65_535).fill(0xff);
    assert.equal(checksumOf(sumWords(viewOf(bytes), 0, bytes.length)), naiveChecksum(bytes));
  });
});
