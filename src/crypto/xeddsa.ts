/**
 * XEdDSA signatures ("The XEdDSA and VXEdDSA Signature Schemes", revision 1, §2): made with an X25519 private key,
 * verified as Ed25519 under the public key that belongs to it on the Edwards curve. A node shows with one that it has its
 * WireGuard key (docs/decisions/0026-proof-of-the-wireguard-key.md).
 */
import { createHash } from 'node:crypto';
import { ed25519 as curve } from '@noble/curves/ed25519.js';
import { ed25519 } from './ed25519.ts';
import { checkKey, KEY_BYTES } from './key-objects.ts';
import type { IdentityPrimitives } from './primitives.ts';

const { Point } = curve;
const { Fp, Fn } = Point;
const RANDOM_BYTES = 64;
/** In front of what is hashed for r: 2^256 - 2, which is no point, so that this hash is not the other one (§2.1, hash_1). */
const NONCE_PREFIX = new Uint8Array(KEY_BYTES).fill(0xff).with(0, 0xfe);

/**
 * §2.4, `xeddsa_sign`. To be called rarely: the scalars are big integers, which nobody can wipe.
 * @param random 64 bytes
 * @throws RangeError
 */
export function signXeddsa(privateKey: Uint8Array, message: Uint8Array, random: Uint8Array): Uint8Array {
  checkKey(privateKey);
  if (random.length !== RANDOM_BYTES) throw new RangeError(`a signature takes ${RANDOM_BYTES} random bytes`);
  const { scalar, publicKey } = keyPairOf(privateKey);
  const secret = littleEndian(scalar);
  const r = hashToScalar(NONCE_PREFIX, secret, message, random);
  secret.fill(0);
  const commitment = Point.BASE.multiply(r).toBytes();
  const h = hashToScalar(commitment, publicKey, message);
  return Uint8Array.of(...commitment, ...littleEndian(Fn.add(r, Fn.mul(h, scalar))));
}

/** §2.4, `xeddsa_verify`, with our strict Ed25519: so no key of low order has a proof. */
export const verifyKeyProof: IdentityPrimitives['verifyKeyProof'] = (wireGuardPublicKey, message, proof) => {
  const publicKey = edwardsKey(wireGuardPublicKey);
  return publicKey !== undefined && ed25519.verify(publicKey, message, proof);
};

/** §2.3, `calculate_key_pair`: of the two scalars with this u the one whose point has sign bit 0. */
function keyPairOf(privateKey: Uint8Array): { scalar: bigint; publicKey: Uint8Array } {
  const clamped = Uint8Array.from(privateKey);
  clamped[0] &= 0xf8;
  clamped[KEY_BYTES - 1] = (clamped[KEY_BYTES - 1] & 0x7f) | 0x40;
  const scalar = Fn.create(numberOf(clamped));
  clamped.fill(0);
  const publicKey = Point.BASE.multiply(scalar).toBytes();
  const isNegative = publicKey[KEY_BYTES - 1] >= 0x80;
  publicKey[KEY_BYTES - 1] &= 0x7f;
  return { scalar: isNegative ? Fn.neg(scalar) : scalar, publicKey };
}

/** §2.3, `convert_mont`: y = (u - 1) / (u + 1). One key has one encoding here, though X25519 takes u modulo p. */
function edwardsKey(wireGuardPublicKey: Uint8Array): Uint8Array | undefined {
  if (wireGuardPublicKey.length !== KEY_BYTES) return undefined;
  const u = numberOf(wireGuardPublicKey);
  if (u >= Fp.ORDER - 1n) return undefined;
  return littleEndian(Fp.mul(Fp.sub(u, 1n), Fp.inv(Fp.add(u, 1n))));
}

function hashToScalar(...parts: Uint8Array[]): bigint {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return Fn.create(numberOf(hash.digest()));
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

function littleEndian(number: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(number.toString(16).padStart(2 * KEY_BYTES, '0'), 'hex')).reverse();
}
