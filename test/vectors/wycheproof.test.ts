/**
 * Project Wycheproof's cases: those that implementations have got wrong. Its result `acceptable` leaves a choice; ours
 * is RFC 7748's: any public key is taken, non-canonical ones and those of the twist too, and an all-zero secret refused.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nodeAead, workingAeads } from '../../src/crypto/aead.ts';
import { identityPrimitives, nodePrimitives } from '../../src/crypto/node.ts';
import type { Counter } from '../../src/crypto/primitives.ts';
import { NONCE_BYTES, nodeSealing, openSslSealing } from '../../src/crypto/sealing.ts';
import { nodeX25519, openSslX25519 } from '../../src/crypto/x25519.ts';
import { bytes, hex, readVectors } from './files.ts';

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly result: 'valid' | 'acceptable' | 'invalid';
  readonly flags: readonly string[];
}

interface X25519Case extends Case {
  readonly public: string;
  readonly private: string;
  readonly shared: string;
}

interface AeadCase extends Case {
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
}

const XCHACHA_NONCE_BYTES = 24;
/** Without memory before the packet, and with it: the two ways that an implementation may take. */
const OFFSETS = [0, 80];
const sealings = { 'openssl-ffi': openSslSealing(), 'node-crypto': nodeSealing };
const curves = { 'openssl-ffi': openSslX25519(), 'node-crypto': nodeX25519 };
const primitives = nodePrimitives(nodeAead);
/** Where a case comes without ciphertext, there being none. */
const anything = new Uint8Array(32);

/** All cases of a file, which says how many there are. */
function readCases<T extends Case>(file: string): T[] {
  const { numberOfTests, testGroups } = JSON.parse(readVectors(file)) as {
    numberOfTests: number;
    testGroups: { tests: T[] }[];
  };
  const cases = testGroups.flatMap(({ tests }) => tests);
  assert.equal(cases.length, numberOfTests);
  return cases;
}

function name({ tcId, comment }: Case): string {
  return `case ${tcId}: ${comment}`;
}

function inputs({ key, iv, aad, msg, ct, tag }: AeadCase) {
  return { key: bytes(key), nonce: bytes(iv), associatedData: bytes(aad), plaintext: bytes(msg), sealed: bytes(ct + tag) };
}

describe("Wycheproof's X25519", () => {
  const cases = readCases<X25519Case>('wycheproof-x25519.json');

  for (const [curveName, { sharedSecret }] of Object.entries(curves)) {
    it(`is computed as 518 cases say, with non-canonical keys and on the twist: ${curveName}`, () => {
      for (const vector of cases) {
        const expected = /^0+$/.test(vector.shared) ? undefined : vector.shared;
        assert.equal(hex(sharedSecret(bytes(vector.private), bytes(vector.public))), expected, name(vector));
      }
      assert.equal(cases.length, 518);
    });

    it(`refuses each of the 31 points of low order, whose shared secret is zero: ${curveName}`, () => {
      const lowOrder = cases.filter(({ flags }) => flags.includes('LowOrderPublic'));
      assert.deepEqual(
        lowOrder,
        cases.filter(({ shared }) => /^0+$/.test(shared)),
      );
      for (const vector of lowOrder) {
        assert.equal(sharedSecret(bytes(vector.private), bytes(vector.public)), undefined, name(vector));
      }
      assert.equal(lowOrder.length, 31);
    });
  }
});

describe("Wycheproof's Ed25519", () => {
  const { testGroups, numberOfTests } = JSON.parse(readVectors('wycheproof-ed25519.json')) as {
    numberOfTests: number;
    testGroups: { key: { pk: string }; tests: (Case & { msg: string; sig: string })[] }[];
  };

  it('is verified as 145 cases say, of which 61 are invalid', () => {
    const results = { valid: 0, acceptable: 0, invalid: 0 };
    for (const { key, tests } of testGroups) {
      for (const { msg, sig, ...vector } of tests) {
        const isValid = identityPrimitives.verify(bytes(key.pk), bytes(msg), bytes(sig));
        assert.equal(isValid, vector.result === 'valid', name(vector));
        results[vector.result]++;
      }
    }
    assert.deepEqual(results, { valid: 84, acceptable: 0, invalid: 61 });
    assert.equal(numberOfTests, 145);
  });
});

describe("Wycheproof's ChaCha20-Poly1305", () => {
  const cases = readCases<AeadCase>('wycheproof-chacha20-poly1305.json');
  const withNonce = cases.filter(({ iv }) => iv.length === 2 * NONCE_BYTES);

  for (const [sealingName, sealing] of Object.entries(sealings)) {
    it(`is sealed and opened as 293 cases say, and not opened with another tag: ${sealingName}`, () => {
      for (const vector of withNonce) {
        const { key, nonce, associatedData, plaintext, sealed } = inputs(vector);
        const isValid = vector.result === 'valid';
        assert.equal(hex(sealing.seal(key, nonce, plaintext, associatedData)) === vector.ct + vector.tag, isValid);
        assert.equal(hex(sealing.open(key, nonce, sealed, associatedData)), isValid ? vector.msg : undefined, name(vector));
      }
      assert.equal(withNonce.length, 293);
    });

    it(`takes no nonce of another length: 7 cases: ${sealingName}`, () => {
      const others = cases.filter((vector) => !withNonce.includes(vector));
      for (const vector of others) {
        const { key, nonce, associatedData, plaintext } = inputs(vector);
        assert.equal(vector.result, 'invalid', name(vector));
        assert.throws(() => sealing.seal(key, nonce, plaintext, associatedData), { code: 'ERR_CRYPTO_INVALID_IV' });
        assert.throws(() => sealing.open(key, nonce, anything, associatedData), { code: 'ERR_CRYPTO_INVALID_IV' });
      }
      assert.equal(others.length, 7);
    });
  }

  it("passes through WireGuard's functions in the 10 cases whose nonce is a counter behind zeros", () => {
    const counted = withNonce.filter(({ iv }) => counterOf(iv) !== undefined);
    for (const vector of counted) {
      const { key, associatedData, plaintext, sealed } = inputs(vector);
      const counter = counterOf(vector.iv)!;
      assert.equal(hex(primitives.seal(key, counter, plaintext, associatedData)), vector.ct + vector.tag, name(vector));
      assert.equal(hex(primitives.open(key, counter, sealed, associatedData)), vector.msg, name(vector));
    }
    assert.equal(counted.length, 10);
  });

  // Those ten have associated data, which transport has not: the ciphertext is theirs all the same, the tag that of
  // `nodeSealing`, which the cases above have measured. The other keys and plaintexts come with a counter of ours.
  for (const [aeadName, aead] of workingAeads()) {
    it(`gives the same in transport, in place, with every key and plaintext: ${aeadName}`, () => {
      for (const vector of withNonce) {
        const { key, plaintext } = inputs(vector);
        const published = counterOf(vector.iv);
        const counter = published ?? { high: vector.tcId, low: 0xffff_ffff };
        const nonce = nonceOf(counter);
        const expected = nodeSealing.seal(key, nonce, plaintext, new Uint8Array(0));
        const transport = aead(key);
        for (const offset of OFFSETS) {
          const buffer = new Uint8Array(offset + plaintext.length + 16);
          buffer.set(plaintext, offset);
          assert.equal(transport.seal(counter, buffer, offset, plaintext.length), plaintext.length + 16);
          const ciphertextAndTag = hex(buffer.subarray(offset));
          assert.equal(ciphertextAndTag, hex(expected), name(vector));
          if (published !== undefined) assert.equal(ciphertextAndTag?.slice(0, -32), vector.ct, name(vector));
          const opened = new Uint8Array(offset + plaintext.length);
          assert.equal(transport.open(counter, buffer, offset, plaintext.length + 16, opened, offset), plaintext.length);
          assert.equal(hex(opened.subarray(offset)), vector.msg, name(vector));
        }
        transport.destroy();
      }
    });

    it(`opens nothing in transport whose tag is changed as the 60 invalid cases change theirs: ${aeadName}`, () => {
      const tampered = withNonce.filter(({ result }) => result === 'invalid');
      for (const vector of tampered) {
        const { key, nonce, associatedData, plaintext, sealed } = inputs(vector);
        const counter = { high: 0, low: vector.tcId };
        const transport = aead(key);
        const right = nodeSealing.seal(key, nonce, plaintext, associatedData);
        for (const offset of OFFSETS) {
          const buffer = new Uint8Array(offset + plaintext.length + 16);
          buffer.set(plaintext, offset);
          transport.seal(counter, buffer, offset, plaintext.length);
          for (let i = 0; i < right.length; i++) buffer[offset + i] ^= right[i] ^ sealed[i];
          const target = new Uint8Array(buffer.length);
          assert.equal(transport.open(counter, buffer, offset, right.length, target, offset), -1, name(vector));
        }
        transport.destroy();
      }
      assert.equal(tampered.length, 60);
    });
  }
});

describe("Wycheproof's XChaCha20-Poly1305", () => {
  const cases = readCases<AeadCase>('wycheproof-xchacha20-poly1305.json');
  const withNonce = cases.filter(({ iv }) => iv.length === 2 * XCHACHA_NONCE_BYTES);

  it('is sealed and opened as 280 cases say, and not opened with another tag', () => {
    for (const vector of withNonce) {
      const { key, nonce, associatedData, plaintext, sealed } = inputs(vector);
      const isValid = vector.result === 'valid';
      const ours = hex(primitives.sealWithNonce(key, nonce, plaintext, associatedData));
      assert.equal(ours === vector.ct + vector.tag, isValid, name(vector));
      const opened = hex(primitives.openWithNonce(key, nonce, sealed, associatedData));
      assert.equal(opened, isValid ? vector.msg : undefined, name(vector));
    }
    assert.equal(withNonce.length, 280);
  });

  it('takes no nonce of another length: 4 cases', () => {
    const others = cases.filter((vector) => !withNonce.includes(vector));
    for (const vector of others) {
      const { key, nonce, associatedData, plaintext } = inputs(vector);
      assert.equal(vector.result, 'invalid', name(vector));
      assert.throws(() => primitives.sealWithNonce(key, nonce, plaintext, associatedData), RangeError);
      assert.throws(() => primitives.openWithNonce(key, nonce, anything, associatedData), RangeError);
    }
    assert.equal(others.length, 4);
  });
});

/** The counter that a nonce is, if it begins with WireGuard's 32 zero bits. */
function counterOf(nonce: string): Counter | undefined {
  if (!nonce.startsWith('00000000')) return undefined;
  const view = new DataView(bytes(nonce).buffer);
  return { low: view.getUint32(4, true), high: view.getUint32(8, true) };
}

function nonceOf({ high, low }: Counter): Uint8Array {
  const view = new DataView(new ArrayBuffer(NONCE_BYTES));
  view.setUint32(4, low, true);
  view.setUint32(8, high, true);
  return new Uint8Array(view.buffer);
}
