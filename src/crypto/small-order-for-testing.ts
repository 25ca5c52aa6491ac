/** Ed25519 keys that are nobody's, and the signatures that anybody can make up for them without knowing a secret. */
import { createHash, verify } from 'node:crypto';
import { ed25519 } from './ed25519.ts';
import { ed25519Public } from './key-objects.ts';

const GROUP_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;

/** All encodings of points of small order: y below p and, where it fits, above, each with either sign. */
export const SMALL_ORDER_KEYS: readonly Uint8Array[] = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].flatMap((hex) => {
  const positive = Uint8Array.from(Buffer.from(hex, 'hex'));
  return [positive, positive.with(31, positive[31] | 0x80)];
});

/**
 * R = S·B, for an S that this function knows as everybody may: right for every key A and message whose hash k has
 * k·A = 0, which for a key of small order is one message in eight or more.
 */
export function madeUpSignature(): Uint8Array {
  const seed = new Uint8Array(32).fill(1);
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32);
  scalar[0] &= 0xf8;
  scalar[31] = (scalar[31] & 0x7f) | 0x40;
  const s = BigInt(`0x${scalar.reverse().toString('hex')}`) % GROUP_ORDER;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return Uint8Array.of(...ed25519.identityPublicKey(seed), ...bytes);
}

/** What OpenSSL says without what is strict about ours. */
export function openSslVerifies(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(null, message, ed25519Public(publicKey), signature);
}
