import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import { chooseX25519, nodeX25519, openSslX25519, type X25519 } from './x25519.ts';

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const filled = (length: number, value: number) => new Uint8Array(length).fill(value);
const openSsl = openSslX25519();

describe('X25519 by OpenSSL', () => {
  it('is what node:crypto computes, for any two keys', () => {
    fc.assert(
      fc.property(key, key, (privateKey, publicKey) => {
        assert.deepEqual(openSsl.publicKey(privateKey), nodeX25519.publicKey(privateKey));
        assert.deepEqual(openSsl.sharedSecret(privateKey, publicKey), nodeX25519.sharedSecret(privateKey, publicKey));
      }),
    );
  });

  it('is what is chosen, with every Node that we support', () => {
    assert.notEqual(chooseX25519(), nodeX25519);
  });
});

function testX25519(name: string, { publicKey, sharedSecret }: X25519): void {
  describe(`X25519 by ${name}`, () => {
    it('changes no key that it is given, and gives out arrays of their own', () => {
      const [privateKey, remote] = [filled(32, 5), publicKey(filled(32, 6))];
      const before = remote.slice();
      const secret = sharedSecret(privateKey, remote);
      assert.deepEqual(remote, before);
      assert.deepEqual(privateKey, filled(32, 5));
      secret?.fill(0);
      assert.notDeepEqual(sharedSecret(privateKey, remote), filled(32, 0));
    });

    it('refuses points of small order, whose secret is zero, and goes on', () => {
      const one = filled(32, 0);
      one[0] = 1;
      for (const point of [filled(32, 0), one]) assert.equal(sharedSecret(filled(32, 9), point), undefined);
      assert.deepEqual(sharedSecret(filled(32, 9), publicKey(filled(32, 8)))?.length, 32);
    });

    it('refuses keys of another length', () => {
      for (const length of [0, 31, 33]) {
        assert.throws(() => publicKey(filled(length, 1)), RangeError);
        assert.throws(() => sharedSecret(filled(length, 1), filled(32, 1)), RangeError);
        assert.throws(() => sharedSecret(filled(32, 1), filled(length, 1)), RangeError);
      }
    });

    it('notices that an array it knows holds another key now', () => {
      const key = filled(32, 7);
      const before = publicKey(key);
      key.fill(8);
      assert.notDeepEqual(publicKey(key), before);
      assert.deepEqual(publicKey(key), publicKey(filled(32, 8)));
    });
  });
}

testX25519('OpenSSL', openSsl);
testX25519('node:crypto', nodeX25519);
