/**
 * X25519 (RFC 7748). OpenSSL's function is called directly: 25 µs a shared secret, 18 µs a public key. Through
 * node:crypto, which serves where that function is not to be had, every new private key costs 400 µs of import more.
 */
import { diffieHellman } from 'node:crypto';
import { addressedBuffer } from './aead-buffer.ts';
import { checkKey, KEY_BYTES, rawPublicKey, x25519Private, x25519Public } from './key-objects.ts';
import { openSslInternals, OpenSslInternalsError } from './openssl-internals.ts';
import type { Primitives } from './primitives.ts';

export type X25519 = Pick<Primitives, 'publicKey' | 'sharedSecret'>;

/** The fastest that works in this process. */
export function chooseX25519(): X25519 {
  try {
    return openSslX25519();
  } catch {
    return nodeX25519;
  }
}

/** Works with every build of Node. */
export const nodeX25519: X25519 = {
  publicKey: (privateKey) => rawPublicKey(x25519Private(privateKey)),

  sharedSecret(privateKey, publicKey) {
    const keys = { privateKey: x25519Private(privateKey), publicKey: x25519Public(publicKey) };
    try {
      const secret = diffieHellman(keys);
      return new Uint8Array(secret.buffer, secret.byteOffset, secret.length);
    } catch (error) {
      // OpenSSL compares the secret with zero in constant time, and refuses to hand it out.
      if ((error as { code?: unknown }).code === 'ERR_OSSL_FAILED_DURING_DERIVATION') return undefined;
      throw error;
    }
  },
};

const MEMORY = { privateKey: 0, publicKey: 32, secret: 64, end: 96 } as const;

/** @throws Error where this Node does not export an OpenSSL with X25519 */
export function openSslX25519(): X25519 {
  const library = openSslInternals();
  const derivePublic = library.func('void ossl_x25519_public_from_private(uintptr_t, uintptr_t)');
  /** 1, or 0 if the secret is all zeros, which it finds out in constant time. */
  const derive = library.func('int ossl_x25519(uintptr_t, uintptr_t, uintptr_t)');
  const { bytes: memory, address } = addressedBuffer(MEMORY.end);

  const x25519: X25519 = {
    publicKey(privateKey) {
      checkKey(privateKey);
      memory.set(privateKey, MEMORY.privateKey);
      derivePublic(address + MEMORY.publicKey, address + MEMORY.privateKey);
      memory.fill(0, MEMORY.privateKey, MEMORY.publicKey);
      return memory.slice(MEMORY.publicKey, MEMORY.secret);
    },

    sharedSecret(privateKey, publicKey) {
      checkKey(privateKey);
      checkKey(publicKey);
      memory.set(privateKey, MEMORY.privateKey);
      memory.set(publicKey, MEMORY.publicKey);
      const isNonZero = derive(address + MEMORY.secret, address + MEMORY.privateKey, address + MEMORY.publicKey) === 1;
      const secret = isNonZero ? memory.slice(MEMORY.secret) : undefined;
      memory.fill(0);
      return secret;
    },
  };
  if (!isRight(x25519)) throw new OpenSslInternalsError('OpenSSL gave a wrong X25519 result when called directly');
  return x25519;
}

/** The keys and the secret of RFC 7748 §6.1. */
const ALICE_PRIVATE = '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a';
const ALICE_PUBLIC = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
const BOB_PUBLIC = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
const SHARED = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';

function isRight({ publicKey, sharedSecret }: X25519): boolean {
  const privateKey = new Uint8Array(Buffer.from(ALICE_PRIVATE, 'hex'));
  const secret = sharedSecret(privateKey, new Uint8Array(Buffer.from(BOB_PUBLIC, 'hex')));
  return (
    secret !== undefined &&
    Buffer.from(secret).toString('hex') === SHARED &&
    Buffer.from(publicKey(privateKey)).toString('hex') === ALICE_PUBLIC &&
    sharedSecret(privateKey, new Uint8Array(KEY_BYTES)) === undefined
  );
}
