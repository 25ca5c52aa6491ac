/** Raw keys as what node:crypto takes. */
import { createPrivateKey, createPublicKey, timingSafeEqual, type KeyObject } from 'node:crypto';

export const KEY_BYTES = 32;

export const x25519Private = imported((raw) => privateFromDer('302e020100300506032b656e04220420', raw));
export const x25519Public = imported((raw) => publicFromJwk('X25519', raw));
export const ed25519Private = imported((raw) => privateFromDer('302e020100300506032b657004220420', raw));
export const ed25519Public = imported((raw) => publicFromJwk('Ed25519', raw));

export function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  return Uint8Array.from(Buffer.from(x as string, 'base64url'));
}

/** @throws RangeError */
export function checkKey(raw: Uint8Array): void {
  if (raw.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${raw.length}`);
}

/**
 * Importing a key costs more than using it, so the last import of each array is remembered for as long as its owner
 * keeps the array, and no longer: an ephemeral key must not outlive its handshake. An array that has been wiped or
 * written anew is noticed by comparison.
 */
function imported(fromRaw: (raw: Uint8Array) => KeyObject): (raw: Uint8Array) => KeyObject {
  const known = new WeakMap<Uint8Array, { readonly copy: Uint8Array; readonly key: KeyObject }>();
  return (raw) => {
    checkKey(raw);
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
