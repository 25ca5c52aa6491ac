/**
 * The primitives by node:crypto, and otherwise where Node has none: XChaCha20-Poly1305 by @noble, keyed BLAKE2s by
 * mac.ts.
 * Results are plain `Uint8Array`s: a `Buffer`'s `slice` shares memory where theirs copies.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  getCiphers,
  getHashes,
  randomBytes as nodeRandomBytes,
  sign as nodeSign,
  timingSafeEqual,
  verify as nodeVerify,
  type KeyObject,
} from 'node:crypto';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { WiremeshError } from '../error.ts';
import { chooseMac } from './mac.ts';
import type { AeadKey, Counter, IdentityPrimitives, Primitives } from './primitives.ts';

/** This Node was built without an algorithm that WireGuard cannot do without. */
export class AlgorithmMissingError extends WiremeshError {
  readonly code = 'ALGORITHM_MISSING';
  readonly algorithm: string;
  constructor(algorithm: string) {
    super(`this Node.js lacks ${algorithm} (FIPS mode?): run with the official build of Node.js 20.19 or newer`);
    this.algorithm = algorithm;
  }
}

export const KEY_BYTES = 32;
export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;

const CIPHER = 'chacha20-poly1305';
const HASH = 'blake2s256';

/** @throws AlgorithmMissingError */
export function nodePrimitives(aead: (key: Uint8Array) => AeadKey): Primitives {
  if (!getHashes().includes(HASH)) throw new AlgorithmMissingError(HASH);
  if (!getCiphers().includes(CIPHER)) throw new AlgorithmMissingError(CIPHER);
  return {
    randomBytes,
    hash: (...parts) => digest(createHash(HASH), parts),
    mac: chooseMac(),
    hmac: (key, ...parts) => digest(createHmac(HASH, key), parts),
    publicKey: (privateKey) => rawPublicKey(x25519Private(privateKey)),
    sharedSecret,
    seal,
    open,
    sealWithNonce: (key, nonce, plaintext, associatedData) =>
      xchacha20poly1305(key, nonce, associatedData).encrypt(plaintext),
    openWithNonce,
    aeadKey: aead,
    equal,
  };
}

export const identityPrimitives: IdentityPrimitives = {
  randomBytes,
  sha224: (...parts) => digest(createHash('sha224'), parts),
  identityPublicKey: (seed) => rawPublicKey(ed25519Private(seed)),
  sign: (seed, message) => plain(nodeSign(null, message, ed25519Private(seed))),
  verify: (publicKey, message, signature) =>
    publicKey.length === KEY_BYTES && nodeVerify(null, message, ed25519Public(publicKey), signature),
};

/** ChaCha20-Poly1305 with any 12-byte nonce (RFC 8439 §2.8). @returns ciphertext and tag */
export function sealRfc8439(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData, { plaintextLength: plaintext.length });
  const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
  sealed.set(cipher.update(plaintext));
  cipher.final();
  sealed.set(cipher.getAuthTag(), plaintext.length);
  return sealed;
}

/** @returns the plaintext, or `undefined` if the tag does not match */
export function openRfc8439(
  key: Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array | undefined {
  const plaintextBytes = ciphertext.length - TAG_BYTES;
  if (plaintextBytes < 0) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData, { plaintextLength: plaintextBytes });
  decipher.setAuthTag(ciphertext.subarray(plaintextBytes));
  const plaintext = decipher.update(ciphertext.subarray(0, plaintextBytes));
  try {
    decipher.final();
  } catch {
    return undefined; // Node says "wrong tag" by throwing, and nothing else can fail here.
  }
  return plain(plaintext);
}

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

function seal(key: Uint8Array, counter: Counter, plaintext: Uint8Array, associatedData: Uint8Array): Uint8Array {
  return sealRfc8439(key, nonceOf(counter), plaintext, associatedData);
}

function open(
  key: Uint8Array,
  counter: Counter,
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array | undefined {
  return openRfc8439(key, nonceOf(counter), ciphertext, associatedData);
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

function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
  const keys = { privateKey: x25519Private(privateKey), publicKey: x25519Public(publicKey) };
  try {
    return plain(diffieHellman(keys));
  } catch (error) {
    // OpenSSL compares the secret with zero in constant time, and refuses to hand it out.
    if ((error as { code?: unknown }).code === 'ERR_OSSL_FAILED_DURING_DERIVATION') return undefined;
    throw error;
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function randomBytes(length: number): Uint8Array {
  return plain(nodeRandomBytes(length));
}

function digest(hash: { update(part: Uint8Array): unknown; digest(): Buffer }, parts: Uint8Array[]): Uint8Array {
  for (const part of parts) hash.update(part);
  return plain(hash.digest());
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

const x25519Private = imported((raw) => privateFromDer('302e020100300506032b656e04220420', raw));
const x25519Public = imported((raw) => publicFromJwk('X25519', raw));
const ed25519Private = imported((raw) => privateFromDer('302e020100300506032b657004220420', raw));
const ed25519Public = imported((raw) => publicFromJwk('Ed25519', raw));

/**
 * Importing a key costs as much as using it, so the last import of each array is remembered for as long as its owner
 * keeps the array, and no longer: an ephemeral key must not outlive its handshake. An array that has been wiped or
 * written anew is noticed by comparison.
 */
function imported(fromRaw: (raw: Uint8Array) => KeyObject): (raw: Uint8Array) => KeyObject {
  const known = new WeakMap<Uint8Array, { readonly copy: Uint8Array; readonly key: KeyObject }>();
  return (raw) => {
    if (raw.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${raw.length}`);
    const found = known.get(raw);
    if (found !== undefined && timingSafeEqual(found.copy, raw)) return found.key;
    const key = fromRaw(raw);
    known.set(raw, { copy: Uint8Array.from(raw), key });
    return key;
  };
}

/** `prefix`: the PKCS #8 structure in front of the raw key (RFC 8410 §7). A JWK would be a string, which stays in memory. */
function privateFromDer(prefix: string, raw: Uint8Array): KeyObject {
  const der = Buffer.concat([Buffer.from(prefix, 'hex'), raw]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

/** A tenth of what DER costs; and any stranger who knows our public key can make us pay it. */
function publicFromJwk(curve: string, raw: Uint8Array): KeyObject {
  const x = Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x }, format: 'jwk' });
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Uint8Array.from(Buffer.from(x as string, 'base64url'));
}
