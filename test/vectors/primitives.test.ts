import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead, workingAeads } from '../../src/crypto/aead.ts';
import { nodeBlake2s, openSslBlake2s } from '../../src/crypto/blake2s.ts';
import { identityPrimitives, nodePrimitives } from '../../src/crypto/node.ts';
import { nodeSealing, openSslSealing } from '../../src/crypto/sealing.ts';
import { nodeX25519, openSslX25519 } from '../../src/crypto/x25519.ts';
import { bytes, hex, readVectors } from './files.ts';

const chosen = chooseAead();
const primitives = nodePrimitives(chosen.aead);

interface Sealed {
  readonly section?: string;
  readonly key: string;
  readonly nonce: string;
  readonly associatedData: string;
  readonly plaintext: string;
  readonly sealed: string;
}

describe('X25519 (RFC 7748)', () => {
  const { functions, iterated, diffieHellman } = JSON.parse(readVectors('x25519.json')) as {
    functions: { scalar: string; u: string; result: string }[];
    iterated: Record<string, string>;
    diffieHellman: Record<'alicePrivate' | 'alicePublic' | 'bobPrivate' | 'bobPublic' | 'shared', string>;
  };

  for (const [name, { publicKey, sharedSecret }] of Object.entries({ openSsl: openSslX25519(), node: nodeX25519 })) {
    for (const { scalar, u, result } of functions) {
      it(`gives the result of section 5.2 for ${scalar.slice(0, 8)}: ${name}`, () => {
        assert.equal(hex(sharedSecret(bytes(scalar), bytes(u))), result);
      });
    }

    it(`gives the results of section 5.2 after 1 and 1,000 rounds: ${name}`, () => {
      let [k, u] = [bytes(`09${'00'.repeat(31)}`), bytes(`09${'00'.repeat(31)}`)];
      for (let round = 1; round <= 1000; round++) {
        const result = sharedSecret(k, u);
        assert.ok(result);
        [k, u] = [result, k];
        if (round in iterated) assert.equal(hex(k), iterated[round]);
      }
    });

    it(`gives the keys and the secret of section 6.1: ${name}`, () => {
      const { alicePrivate, alicePublic, bobPrivate, bobPublic, shared } = diffieHellman;
      assert.equal(hex(publicKey(bytes(alicePrivate))), alicePublic);
      assert.equal(hex(publicKey(bytes(bobPrivate))), bobPublic);
      assert.equal(hex(sharedSecret(bytes(alicePrivate), bytes(bobPublic))), shared);
      assert.equal(hex(sharedSecret(bytes(bobPrivate), bytes(alicePublic))), shared);
    });
  }
});

describe('ChaCha20-Poly1305 (RFC 8439)', () => {
  const vectors = JSON.parse(readVectors('chacha20-poly1305.json')) as Sealed[];

  for (const { section, ...vector } of vectors) {
    const [key, nonce, associatedData] = [bytes(vector.key), bytes(vector.nonce), bytes(vector.associatedData)];
    for (const [name, sealing] of Object.entries({ openSsl: openSslSealing(), node: nodeSealing })) {
      it(`seals and opens as in section ${section}: ${name}`, () => {
        assert.equal(hex(sealing.seal(key, nonce, bytes(vector.plaintext), associatedData)), vector.sealed);
        assert.equal(hex(sealing.open(key, nonce, bytes(vector.sealed), associatedData)), vector.plaintext);
      });
    }
  }

  it("seals and opens section A.5, whose nonce is a counter, through WireGuard's functions", () => {
    const { key, associatedData, plaintext, sealed } = vectors[1];
    const counter = { high: 0x08070605, low: 0x04030201 };
    assert.equal(hex(primitives.seal(bytes(key), counter, bytes(plaintext), bytes(associatedData))), sealed);
    assert.equal(hex(primitives.open(bytes(key), counter, bytes(sealed), bytes(associatedData))), plaintext);
  });

  for (const [name, aead] of workingAeads()) {
    it(`gives section A.5's ciphertext in transport, where nothing but the tag knows of associated data: ${name}`, () => {
      const { key, plaintext, sealed } = vectors[1];
      const length = plaintext.length / 2;
      const buffer = bytes(plaintext + '00'.repeat(16));
      aead(bytes(key)).seal({ high: 0x08070605, low: 0x04030201 }, buffer, 0, length);
      assert.equal(hex(buffer.subarray(0, length)), sealed.slice(0, -32));
    });
  }
});

describe('XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha)', () => {
  it('seals and opens as the vectors say', () => {
    for (const vector of JSON.parse(readVectors('xchacha20-poly1305.json')) as Sealed[]) {
      const [key, nonce, associatedData] = [bytes(vector.key), bytes(vector.nonce), bytes(vector.associatedData)];
      assert.equal(hex(primitives.sealWithNonce(key, nonce, bytes(vector.plaintext), associatedData)), vector.sealed);
      assert.equal(hex(primitives.openWithNonce(key, nonce, bytes(vector.sealed), associatedData)), vector.plaintext);
    }
  });
});

describe('BLAKE2s (RFC 7693)', () => {
  const { unkeyed, keyed } = JSON.parse(readVectors('blake2s.json')) as {
    unkeyed: { input: string; digest: string }[];
    keyed: { key: string; digests256: string[]; digests128: string[] };
  };

  it('hashes as the vectors say', () => {
    for (const { hash } of [openSslBlake2s(), nodeBlake2s]) {
      for (const { input, digest } of unkeyed) assert.equal(hex(hash(bytes(input))), digest);
    }
  });

  it('authenticates as the vectors say, with every length of input from 0 to 255', () => {
    const input = Uint8Array.from({ length: 255 }, (_, i) => i);
    assert.equal(keyed.digests128.length, 256);
    for (const [length, digest] of keyed.digests128.entries()) {
      assert.equal(hex(primitives.mac(bytes(keyed.key), input.subarray(0, length))), digest);
    }
  });
});

describe('Ed25519 (RFC 8032)', () => {
  const vectors = JSON.parse(readVectors('ed25519.json')) as Record<
    'name' | 'seed' | 'publicKey' | 'message' | 'signature',
    string
  >[];

  for (const { name, seed, publicKey, message, signature } of vectors) {
    it(`derives, signs and verifies as in section 7.1, ${name}`, () => {
      assert.equal(hex(identityPrimitives.identityPublicKey(bytes(seed))), publicKey);
      assert.equal(hex(identityPrimitives.sign(bytes(seed), bytes(message))), signature);
      assert.equal(identityPrimitives.verify(bytes(publicKey), bytes(message), bytes(signature)), true);
    });
  }
});

describe('SHA-224 (FIPS 180-4)', () => {
  it('hashes as the vectors say', () => {
    for (const { text, repeat, digest } of JSON.parse(readVectors('sha224.json')) as {
      text: string;
      repeat: number;
      digest: string;
    }[]) {
      assert.equal(hex(identityPrimitives.sha224(new TextEncoder().encode(text.repeat(repeat)))), digest);
    }
  });
});
