import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives, nodePrimitives } from './node.ts';

const primitives = nodePrimitives(() => {
  throw new Error('no transport here');
});
const bytes = (length: number, value: number) => new Uint8Array(length).fill(value);

describe('X25519', () => {
  it('gives both sides one secret', () => {
    const [a, b] = [primitives.randomBytes(32), primitives.randomBytes(32)];
    const secret = primitives.sharedSecret(a, primitives.publicKey(b));
    assert.deepEqual(secret, primitives.sharedSecret(b, primitives.publicKey(a)));
    assert.equal(secret?.length, 32);
  });

  it('clamps a private key', () => {
    const key = bytes(32, 0x55);
    const clamped = key.map((byte, i) => (i === 0 ? byte & 0xf8 : i === 31 ? (byte & 0x7f) | 0x40 : byte));
    assert.deepEqual(primitives.publicKey(key), primitives.publicKey(clamped));
  });
});

describe('sealing a handshake message', () => {
  const key = bytes(32, 1);
  const counter = { high: 0, low: 3 };
  const associatedData = bytes(32, 2);
  const nonce = bytes(24, 3);

  for (const length of [0, 12, 32]) {
    it(`is undone by opening, ${length} bytes`, () => {
      const plaintext = bytes(length, 4);
      const sealed = primitives.seal(key, counter, plaintext, associatedData);
      assert.equal(sealed.length, length + 16);
      assert.deepEqual(primitives.open(key, counter, sealed, associatedData), plaintext);
      const withNonce = primitives.sealWithNonce(key, nonce, plaintext, associatedData);
      assert.deepEqual(primitives.openWithNonce(key, nonce, withNonce, associatedData), plaintext);
    });
  }

  it('cannot be undone with anything changed', () => {
    const sealed = primitives.seal(key, counter, bytes(4, 4), associatedData);
    const withNonce = primitives.sealWithNonce(key, nonce, bytes(4, 4), associatedData);
    for (let i = 0; i < sealed.length; i++) {
      const flip = (message: Uint8Array) => message.map((byte, j) => (i === j ? byte ^ 1 : byte));
      assert.equal(primitives.open(key, counter, flip(sealed), associatedData), undefined);
      assert.equal(primitives.openWithNonce(key, nonce, flip(withNonce), associatedData), undefined);
    }
    assert.equal(primitives.open(key, { high: 1, low: 3 }, sealed, associatedData), undefined);
    assert.equal(primitives.open(key, counter, sealed, bytes(31, 2)), undefined);
    assert.equal(primitives.openWithNonce(key, nonce, withNonce, bytes(31, 2)), undefined);
  });

  it('is not undone where there is no room for a tag', () => {
    assert.equal(primitives.open(key, counter, bytes(15, 0), associatedData), undefined);
    assert.equal(primitives.openWithNonce(key, nonce, bytes(15, 0), associatedData), undefined);
  });
});

describe('hashes', () => {
  it('take their input in parts', () => {
    const [a, b, both] = [bytes(40, 1), bytes(90, 2), new Uint8Array([...bytes(40, 1), ...bytes(90, 2)])];
    assert.deepEqual(primitives.hash(a, b), primitives.hash(both));
    assert.deepEqual(primitives.hmac(a, a, b), primitives.hmac(a, both));
    assert.deepEqual(primitives.mac(a.subarray(8), a, b), primitives.mac(a.subarray(8), both));
    assert.deepEqual(identityPrimitives.sha224(a, b), identityPrimitives.sha224(both));
  });

  it('come out as plain arrays of the promised length', () => {
    for (const [result, length] of [
      [primitives.hash(), 32],
      [primitives.hmac(bytes(1, 1)), 32],
      [primitives.mac(bytes(1, 1)), 16],
      [identityPrimitives.sha224(), 28],
      [primitives.randomBytes(5), 5],
    ] as const) {
      assert.equal(result.constructor, Uint8Array);
      assert.equal(result.length, length);
    }
  });
});

describe('equal', () => {
  it('compares contents, and lengths without throwing', () => {
    assert.equal(primitives.equal(bytes(3, 1), bytes(3, 1)), true);
    assert.equal(primitives.equal(bytes(3, 1), bytes(3, 2)), false);
    assert.equal(primitives.equal(bytes(3, 1), bytes(4, 1)), false);
  });
});

describe('an identity', () => {
  const seed = bytes(32, 5);
  const publicKey = identityPrimitives.identityPublicKey(seed);
  const signature = identityPrimitives.sign(seed, bytes(9, 9));

  it('verifies what it signed', () => {
    assert.equal(signature.length, 64);
    assert.equal(identityPrimitives.verify(publicKey, bytes(9, 9), signature), true);
  });

  it('verifies nothing else, whatever a stranger sends', () => {
    assert.equal(identityPrimitives.verify(publicKey, bytes(9, 8), signature), false);
    for (const key of [bytes(0, 0), bytes(31, 1), bytes(33, 1), bytes(32, 0xff), bytes(32, 2)]) {
      assert.equal(identityPrimitives.verify(key, bytes(9, 9), signature), false);
    }
    for (const other of [bytes(0, 0), bytes(63, 1), bytes(64, 0xff), bytes(65, 1)]) {
      assert.equal(identityPrimitives.verify(publicKey, bytes(9, 9), other), false);
    }
  });
});
