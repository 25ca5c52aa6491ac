import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import { ed25519 as noble } from '@noble/curves/ed25519.js';
import { identityPrimitives } from './node.ts';
import { nodeX25519 } from './x25519.ts';
import { signXeddsa, verifyKeyProof } from './xeddsa.ts';

const message = Uint8Array.from(Buffer.from('a key and an identity'));
const random = new Uint8Array(64).fill(3);
const privateKeyOf = (number: number) => identityPrimitives.sha224(Uint8Array.of(number));
const keyPair = (number: number) => {
  const privateKey = Uint8Array.of(...privateKeyOf(number), 1, 2, 3, 4);
  return { privateKey, publicKey: nodeX25519.publicKey(privateKey) };
};

describe('a proof of an X25519 key', () => {
  it('is right for the message and the key that it was made for, and for nothing else', () => {
    for (let number = 0; number < 16; number++) {
      const { privateKey, publicKey } = keyPair(number);
      const proof = signXeddsa(privateKey, message, random);
      assert.equal(verifyKeyProof(publicKey, message, proof), true);
      assert.equal(verifyKeyProof(publicKey, message.with(0, 0), proof), false);
      assert.equal(verifyKeyProof(publicKey, message, proof.with(number, proof[number] ^ 1)), false);
      assert.equal(verifyKeyProof(keyPair(number + 1).publicKey, message, proof), false);
    }
  });

  it('is an Ed25519 signature for OpenSSL, under the one point that has this u and sign bit 0', () => {
    for (let number = 0; number < 16; number++) {
      const { privateKey, publicKey } = keyPair(number);
      const { Fp } = noble.Point;
      const u = Fp.fromBytes(publicKey);
      const y = Fp.toBytes(Fp.div(Fp.sub(u, 1n), Fp.add(u, 1n)));
      assert.deepEqual(noble.utils.toMontgomery(y), publicKey);
      const x = Buffer.from(y).toString('base64url');
      const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
      assert.equal(verify(null, message, key, signXeddsa(privateKey, message, random)), true);
    }
  });

  it('differs with each signature, lest two of them give the key away', () => {
    const { privateKey } = keyPair(1);
    const one = signXeddsa(privateKey, message, random);
    assert.notDeepEqual(signXeddsa(privateKey, message, random.with(0, 0)), one);
    assert.notDeepEqual(signXeddsa(privateKey, message.with(0, 0), random).subarray(0, 32), one.subarray(0, 32));
  });

  it('takes the private key as X25519 does, clamped or not, and leaves it as it was', () => {
    const { privateKey, publicKey } = keyPair(2);
    const before = Uint8Array.from(privateKey);
    assert.equal(
      verifyKeyProof(publicKey, message, signXeddsa(privateKey.with(0, privateKey[0] ^ 7), message, random)),
      true,
    );
    assert.deepEqual(privateKey, before);
  });
});

describe('a key without a proof', () => {
  it('is every key of low order, of whatever signature, and every other encoding of a key', () => {
    // RFC 7748's u of points of order 1, 2, 4 and 8, and those of the twist (https://cr.yp.to/ecdh.html#validate).
    const p = 2n ** 255n - 19n;
    const order8 = [
      325606250916557431795983626356110631294008115727848805560023387167927233504n,
      39382357235489614581723060781553021112529911719440698176882885853963445705823n,
    ];
    const proof = signXeddsa(keyPair(0).privateKey, message, random);
    const identity = Uint8Array.of(1, ...new Uint8Array(31));
    const madeUp = [proof, Uint8Array.of(...identity, ...new Uint8Array(32)), new Uint8Array(64)];
    for (const u of [0n, 1n, p - 1n, p, p + 1n, ...order8, ...order8.map((n) => n + p)]) {
      const key = Uint8Array.from(Buffer.from(u.toString(16).padStart(64, '0').slice(-64), 'hex')).reverse();
      for (const signature of madeUp) assert.equal(verifyKeyProof(key, message, signature), false);
    }
    const { publicKey } = keyPair(0);
    assert.equal(verifyKeyProof(publicKey.with(31, publicKey[31] | 0x80), message, proof), false);
    for (const length of [0, 31]) assert.equal(verifyKeyProof(publicKey.subarray(0, length), message, proof), false);
  });
});
