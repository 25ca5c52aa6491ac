/**
 * The primitives: the fastest of each that works in this process, by OpenSSL's functions or by node:crypto, and by
 * @noble where both have none (XChaCha20-Poly1305).
 * Results are plain `Uint8Array`s: a `Buffer`'s `slice` shares memory where theirs copies.
 */
import { createHash, getCiphers, getHashes, randomBytes as nodeRandomBytes, timingSafeEqual } from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { WiremeshError } from '../error.ts';
import { chooseBlake2s, HASH } from './blake2s.ts';
import { ed25519 } from './ed25519.ts';
import { KEY_BYTES } from './key-objects.ts';
import { chooseMac } from './mac.ts';
import type { AeadKey, Counter, IdentityPrimitives, Primitives } from './primitives.ts';
import { chooseSealing, CIPHER, nodeSealing, NONCE_BYTES, TAG_BYTES } from './sealing.ts';
import { chooseX25519 } from './x25519.ts';
import { verifyKeyProof } from './xeddsa.ts';

export { KEY_BYTES, NONCE_BYTES, TAG_BYTES };
export const { seal: sealRfc8439, open: openRfc8439 } = nodeSealing;

/** This Node was built without an algorithm that WireGuard cannot do without. */
export class AlgorithmMissingError extends WiremeshError {
  readonly code = 'ALGORITHM_MISSING';
  readonly algorithm: string;
  constructor(algorithm: string) {
    super(`this Node.js lacks ${algorithm} (FIPS mode?): run with the official build of Node.js 20.19 or newer`);
    this.algorithm = algorithm;
  }
}

/** @throws AlgorithmMissingError */
export function nodePrimitives(aead: (key: Uint8Array) => AeadKey): Primitives {
  if (!getHashes().includes(HASH)) throw new AlgorithmMissingError(HASH);
  if (!getCiphers().includes(CIPHER)) throw new AlgorithmMissingError(CIPHER);
  const sealing = chooseSealing();
  return {
    randomBytes,
    ...chooseBlake2s(),
    mac: chooseMac(),
    ...chooseX25519(),
    seal: (key, counter, plaintext, associatedData) => sealing.seal(key, nonceOf(counter), plaintext, associatedData),
    open: (key, counter, ciphertext, associatedData) => sealing.open(key, nonceOf(counter), ciphertext, associatedData),
    sealWithNonce: (key, nonce, plaintext, associatedData) =>
      xchacha20poly1305(key, nonce, associatedData).encrypt(plaintext),
    openWithNonce,
    aeadKey: aead,
    equal,
  };
}

export const identityPrimitives: IdentityPrimitives = {
  randomBytes,
  sha224: (...parts) => {
    const hash = createHash('sha224');
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  },
  ...ed25519,
  verifyKeyProof,
};

/** Writes WireGuard's nonce: 32 zero bits and the little-endian counter (whitepaper §5.4.6). */
export function writeNonce(counter: Counter, nonce: Uint8Array): void {
  const { high, low } = counter;
  nonce[0] = nonce[1] = nonce[2] = nonce[3] = 0;
  nonce[4] = low;
  nonce[5] = low >>> 8;
  nonce[6] = low >>> 16;
  nonce[7] = low >>> 24;
  nonce[8] = high;
  nonce[9] = high >>> 8;
  nonce[10] = high >>> 16;
  nonce[11] = high >>> 24;
}

function openWithNonce(
  key: Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array | undefined {
  if (ciphertext.length < TAG_BYTES) return undefined;
  const cipher = xchacha20poly1305(key, nonce, associatedData);
  try {
    return cipher.decrypt(ciphertext);
  } catch {
    return undefined;
  }
}

function nonceOf(counter: Counter): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  writeNonce(counter, nonce);
  return nonce;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function randomBytes(length: number): Uint8Array {
  return plain(nodeRandomBytes(length));
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
