import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ed25519 } from './ed25519.ts';
import { madeUpSignature, openSslVerifies, SMALL_ORDER_KEYS } from './small-order-for-testing.ts';

const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'));

describe('a public key of small order', () => {
  const signature = madeUpSignature();
  const messages = Array.from({ length: 256 }, (_, i) => Uint8Array.of(i));

  it('is refused in all its 14 encodings, with signatures that anybody can make up and OpenSSL accepts', () => {
    assert.equal(SMALL_ORDER_KEYS.length, 14);
    const believed = SMALL_ORDER_KEYS.map((key) => {
      assert.equal(ed25519.isStrictEd25519PublicKey(key), false);
      const forged = messages.filter((message) => openSslVerifies(key, message, signature));
      for (const message of forged) assert.equal(ed25519.verify(key, message, signature), false);
      return forged.length;
    });
    assert.ok(
      believed.every((count) => count >= 16),
      `of 256 messages OpenSSL believes ${believed.join(', ')}`,
    );
  });
});

describe('a key or R with y of p or above', () => {
  // Points with y = p + 3 to p + 18, where the curve has them: these are not of small order.
  const aboveP = Array.from({ length: 16 }, (_, i) => bytes(`${(0xf0 + i).toString(16)}${'ff'.repeat(30)}7f`));

  it('is refused, whatever it is on the curve', () => {
    for (const encoded of aboveP) {
      for (const sign of [0, 0x80]) {
        const key = encoded.with(31, encoded[31] | sign);
        assert.equal(ed25519.isStrictEd25519PublicKey(key), false);
        assert.equal(ed25519.isStrictEd25519PublicKey(key.with(31, 0x7e | sign)), true);
      }
    }
  });
});

describe('a key that was made as keys are', () => {
  it('is accepted, and its signatures with it', () => {
    for (let number = 0; number < 64; number++) {
      const seed = new Uint8Array(32).fill(number);
      const key = ed25519.identityPublicKey(seed);
      assert.equal(ed25519.isStrictEd25519PublicKey(key), true);
      assert.equal(ed25519.verify(key, seed, ed25519.sign(seed, seed)), true);
    }
  });

  it('has 32 bytes', () => {
    const key = ed25519.identityPublicKey(new Uint8Array(32));
    for (const length of [0, 31]) assert.equal(ed25519.isStrictEd25519PublicKey(key.slice(0, length)), false);
    assert.equal(ed25519.isStrictEd25519PublicKey(Uint8Array.of(...key, 0)), false);
  });
});

describe('a signature', () => {
  const seed = new Uint8Array(32).fill(7);
  const key = ed25519.identityPublicKey(seed);
  const signature = ed25519.sign(seed, seed);

  it('has one S: with the order of the group added it is refused', () => {
    const order = bytes('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
    const malleated = Uint8Array.from(signature);
    let carry = 0;
    for (let i = 0; i < 32; i++) {
      carry += malleated[32 + i] + order[i];
      malleated[32 + i] = carry;
      carry >>= 8;
    }
    assert.equal(ed25519.verify(key, seed, malleated), false);
  });

  it('with an R of small order is refused, though the key be right', () => {
    for (const r of SMALL_ORDER_KEYS) {
      assert.equal(ed25519.verify(key, seed, Uint8Array.of(...r, ...signature.subarray(32))), false);
    }
  });
});
