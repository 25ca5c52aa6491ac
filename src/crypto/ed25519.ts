/**
 * Ed25519 signatures (RFC 8032) by node:crypto, whose verification is made strict here: OpenSSL accepts public keys of
 * small order, for which anybody can make up signatures, and takes y modulo p. What is refused and what is not:
 * docs/decisions/0029-strict-ed25519.md.
 */
import { sign as nodeSign, verify as nodeVerify } from 'node:crypto';
import { ed25519Private, ed25519Public, KEY_BYTES, rawPublicKey } from './key-objects.ts';
import type { IdentityPrimitives } from './primitives.ts';

const SIGNATURE_BYTES = 64;
/** p = 2^255 - 19 (RFC 8032 §5.1). This and what follows is little-endian, as on the wire. */
const FIELD_PRIME = fromHex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');
/** L, the order of the base point. */
const GROUP_ORDER = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
/**
 * The y of the eight points whose order divides the cofactor: orders 4, 1, 2, 8 and 8. Where a point and its negative
 * differ, the sign bit tells them apart; where x = 0 (y = 1 and y = p - 1), a set sign bit is what §5.1.3 refuses.
 */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
].map(fromHex);

export const ed25519: Pick<IdentityPrimitives, 'identityPublicKey' | 'sign' | 'verify' | 'isStrictEd25519PublicKey'> = {
  identityPublicKey: (seed) => rawPublicKey(ed25519Private(seed)),
  sign(seed, message) {
    const signature = nodeSign(null, message, ed25519Private(seed));
    return new Uint8Array(signature.buffer, signature.byteOffset, signature.length);
  },
  verify: (publicKey, message, signature) =>
    isStrictPoint(publicKey) &&
    isStrictSignature(signature) &&
    nodeVerify(null, message, ed25519Public(publicKey), signature),
  isStrictEd25519PublicKey: isStrictPoint,
};

/** R is a point in its only encoding and not of small order; S is below L, lest there be a second signature (§5.1.7). */
function isStrictSignature(signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  return isStrictPoint(signature.subarray(0, KEY_BYTES)) && isBelow(signature.subarray(KEY_BYTES), GROUP_ORDER);
}

/** Whether the curve has a point with this y is for OpenSSL to say: what is no point verifies nothing. */
function isStrictPoint(encoded: Uint8Array): boolean {
  if (encoded.length !== KEY_BYTES) return false;
  const y = Uint8Array.from(encoded);
  y[KEY_BYTES - 1] &= 0x7f;
  return isBelow(y, FIELD_PRIME) && !SMALL_ORDER.some((small) => small.every((byte, i) => byte === y[i]));
}

/** Compares little-endian numbers, which are public: the time it takes tells nothing. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = KEY_BYTES - 1; i >= 0; i--) {
    if (a[i] !== b[i]) return a[i] < b[i];
  }
  return false;
}

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
