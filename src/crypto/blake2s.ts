/**
 * BLAKE2s (RFC 7693) without a key, and HMAC (RFC 2104) with it: 32 bytes out. A handshake takes 30 of them on each
 * side. OpenSSL's functions are called directly: 0.2 µs a hash of 64 bytes, 0.6 µs an HMAC, where node:crypto takes
 * 1 and 2 µs, 10 on Node 24. Keyed BLAKE2s is in mac.ts.
 */
import { createHash, createHmac } from 'node:crypto';
import { addressedBuffer } from './aead-buffer.ts';
import { openSslInternals, OpenSslInternalsError } from './openssl-internals.ts';
import type { Primitives } from './primitives.ts';

export type Blake2s = Pick<Primitives, 'hash' | 'hmac'>;

export const HASH = 'blake2s256';
const DIGEST_BYTES = 32;
const BLOCK_BYTES = 64;
/** Longer messages than WireGuard's go to node:crypto. */
const LONGEST_MESSAGE = 512;

/** The fastest that works in this process. */
export function chooseBlake2s(): Blake2s {
  try {
    return openSslBlake2s();
  } catch {
    return nodeBlake2s;
  }
}

/** Works with every build of Node. */
export const nodeBlake2s: Blake2s = {
  hash: (...parts) => digest(createHash(HASH), parts),
  hmac: (key, ...parts) => digest(createHmac(HASH, key), parts),
};

/**
 * In bytes. The state is OpenSSL's and has 128; `parameters` is the block of RFC 7693 §2.5. HMAC hashes the key and the
 * message, each behind the other, and then the key and that digest.
 */
const MEMORY = {
  state: 0,
  parameters: 512,
  innerKey: 544,
  message: 608,
  outerKey: 1120,
  innerDigest: 1184,
  result: 1216,
  end: 1248,
} as const;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;

/** @throws Error where this Node does not export an OpenSSL with BLAKE2s */
export function openSslBlake2s(): Blake2s {
  const library = openSslInternals();
  const init = library.func('int ossl_blake2s_init(uintptr_t, uintptr_t)');
  const update = library.func('int ossl_blake2s_update(uintptr_t, uintptr_t, size_t)');
  /** Wipes the state, too. */
  const final = library.func('int ossl_blake2s_final(uintptr_t, uintptr_t)');
  const { bytes: memory, address } = addressedBuffer(MEMORY.end);
  // Length of the digest, of the key; fanout and depth of a tree that is none.
  memory.set([DIGEST_BYTES, 0, 1, 1], MEMORY.parameters);

  const digestOf = (at: number, length: number, result: number): void => {
    init(address + MEMORY.state, address + MEMORY.parameters);
    update(address + MEMORY.state, address + at, length);
    final(address + result, address + MEMORY.state);
  };
  const writeMessage = (parts: readonly Uint8Array[]): void => {
    let end: number = MEMORY.message;
    for (const part of parts) {
      memory.set(part, end);
      end += part.length;
    }
  };
  const takeResult = (): Uint8Array => {
    const result = memory.slice(MEMORY.result);
    memory.fill(0, MEMORY.innerKey);
    return result;
  };

  const blake2s: Blake2s = {
    hash(...parts) {
      const length = lengthOf(parts);
      if (length > LONGEST_MESSAGE) return nodeBlake2s.hash(...parts);
      writeMessage(parts);
      digestOf(MEMORY.message, length, MEMORY.result);
      return takeResult();
    },

    hmac(key, ...parts) {
      const length = lengthOf(parts);
      if (length > LONGEST_MESSAGE || key.length > BLOCK_BYTES) return nodeBlake2s.hmac(key, ...parts);
      memory.fill(INNER_PAD, MEMORY.innerKey, MEMORY.message);
      memory.fill(OUTER_PAD, MEMORY.outerKey, MEMORY.innerDigest);
      for (let i = 0; i < key.length; i++) {
        memory[MEMORY.innerKey + i] ^= key[i];
        memory[MEMORY.outerKey + i] ^= key[i];
      }
      writeMessage(parts);
      digestOf(MEMORY.innerKey, BLOCK_BYTES + length, MEMORY.innerDigest);
      digestOf(MEMORY.outerKey, BLOCK_BYTES + DIGEST_BYTES, MEMORY.result);
      return takeResult();
    },
  };
  if (!isRight(blake2s)) throw new OpenSslInternalsError('OpenSSL gave a wrong BLAKE2s result when called directly');
  return blake2s;
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let length = 0;
  for (const part of parts) length += part.length;
  return length;
}

function digest(hash: { update(part: Uint8Array): unknown; digest(): Buffer }, parts: Uint8Array[]): Uint8Array {
  for (const part of parts) hash.update(part);
  const { buffer, byteOffset, length } = hash.digest();
  return new Uint8Array(buffer, byteOffset, length);
}

function isRight({ hash, hmac }: Blake2s): boolean {
  const message = Uint8Array.from({ length: 100 }, (_, i) => i);
  const key = message.subarray(0, DIGEST_BYTES);
  return (
    Buffer.compare(hash(message), nodeBlake2s.hash(message)) === 0 &&
    Buffer.compare(hmac(key, message), nodeBlake2s.hmac(key, message)) === 0
  );
}
