import assert from 'node:assert/strict';
import { createHash, createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import { chooseSealing, nodeSealing, openSslSealing } from './sealing.ts';

const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const filled = (length: number, value: number) => new Uint8Array(length).fill(value);

describe('sealing by OpenSSL', () => {
  const sealing = openSslSealing();

  it('is what node:crypto does, and is undone, with messages and associated data of any length', () => {
    fc.assert(
      fc.property(bytes(32, 32), bytes(12, 12), bytes(0, 600), bytes(0, 200), (key, nonce, plaintext, associated) => {
        const sealed = sealing.seal(key, nonce, plaintext, associated);
        assert.deepEqual(sealed, nodeSealing.seal(key, nonce, plaintext, associated));
        assert.deepEqual(sealing.open(key, nonce, sealed, associated), plaintext);
      }),
    );
  });

  it('goes on after what was not authentic or too short, and leaves no error for node:crypto to find', () => {
    const [key, nonce, text, associated] = [filled(32, 1), filled(12, 2), filled(32, 3), filled(32, 4)];
    const sealed = sealing.seal(key, nonce, text, associated);
    for (const length of [0, 15, 16, 47]) {
      assert.equal(sealing.open(key, nonce, sealed.subarray(0, length), associated), undefined);
    }
    assert.equal(sealing.open(key, nonce, sealed, filled(32, 5)), undefined);
    assert.equal(createHash('sha256').update('').digest().length, 32);
    assert.throws(() => createPublicKey('no key'), { code: 'ERR_OSSL_UNSUPPORTED' });
    assert.deepEqual(sealing.open(key, nonce, sealed, associated), text);
  });

  it('is what is chosen, with every Node that we support', () => {
    assert.notEqual(chooseSealing(), nodeSealing);
  });
});
