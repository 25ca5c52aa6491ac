import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode, rfc8949EncodeOptions } from 'cborg';
import fc from 'fast-check';
import { isWithinBounds } from './cbor-bounds.ts';

function nested(head: number, depth: number): Uint8Array {
  return Uint8Array.of(...Array<number>(depth).fill(head), 0);
}

describe('CBOR', () => {
  it('may have eight levels, and no more', () => {
    assert.equal(isWithinBounds(nested(0x81, 8)), true);
    assert.equal(isWithinBounds(nested(0x81, 9)), false);
    assert.equal(isWithinBounds(nested(0x81, 4000)), false);
    assert.equal(isWithinBounds(Uint8Array.of(...Array<number>(4000).fill(0xa1))), false);
  });

  it('may have 1,024 items, and no more', () => {
    assert.equal(isWithinBounds(Uint8Array.of(0x99, 0x03, 0xff, ...Array<number>(1023).fill(0))), true);
    assert.equal(isWithinBounds(Uint8Array.of(0x99, 0x04, 0x00, ...Array<number>(1024).fill(0))), false);
  });

  it('that claims more than there is, is refused at once', () => {
    const claims = [0x5b, 0x7b, 0x9b, 0xbb].map((head) => Uint8Array.of(head, 0, 0, 0, 1, 0, 0, 0, 0, 0));
    for (const claim of claims) assert.equal(isWithinBounds(claim), false);
    assert.equal(isWithinBounds(Uint8Array.of(0x82, 0)), false);
    assert.equal(isWithinBounds(Uint8Array.of(0x19, 1)), false);
    assert.equal(isWithinBounds(new Uint8Array(0)), false);
  });

  it('of indefinite length, with tags or with reserved heads, is refused', () => {
    for (const head of [0x9f, 0xbf, 0x5f, 0x7f, 0x1c, 0xff])
      assert.equal(isWithinBounds(Uint8Array.of(head, 0, 0xff)), false);
    assert.equal(isWithinBounds(Uint8Array.of(0xc2, 0x41, 1)), false);
  });

  it('is accepted as an encoder writes it', () => {
    const scalar = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.double(), fc.boolean(), fc.string(), fc.uint8Array());
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.dictionary(fc.string(), scalar), { maxLength: 8 }), { maxLength: 8 }),
        (value) => {
          assert.equal(isWithinBounds(encode(value, rfc8949EncodeOptions)), true);
        },
      ),
    );
  });
});
