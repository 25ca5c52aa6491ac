/** ChaCha20-Poly1305 (RFC 8439) by node:crypto: works with every build of Node, allocates, 5 µs for 1,424 bytes. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { checkRange } from './aead-buffer.ts';
import { KeyDestroyedError } from './aead-errors.ts';
import { checkKey } from './key-objects.ts';
import { NONCE_BYTES, TAG_BYTES, writeNonce } from './node.ts';
import type { Aead, AeadKey, Counter } from './primitives.ts';

export const nodeAead: Aead = (key) => new NodeAeadKey(key);

/** Scratch for all keys of this thread: calls are synchronous. */
const nonce = new Uint8Array(NONCE_BYTES);

class NodeAeadKey implements AeadKey {
  #key: Uint8Array | undefined;

  constructor(key: Uint8Array) {
    checkKey(key);
    this.#key = Uint8Array.from(key);
  }

  seal(counter: Counter, buffer: Uint8Array, offset: number, length: number): number {
    if (this.#key === undefined) throw new KeyDestroyedError();
    checkRange(buffer, offset, length, TAG_BYTES);
    writeNonce(counter, nonce);
    const cipher = createCipheriv('chacha20-poly1305', this.#key, nonce, { authTagLength: TAG_BYTES });
    buffer.set(cipher.update(buffer.subarray(offset, offset + length)), offset);
    cipher.final();
    buffer.set(cipher.getAuthTag(), offset + length);
    return length + TAG_BYTES;
  }

  // eslint-disable-next-line max-params
  open(
    counter: Counter,
    buffer: Uint8Array,
    offset: number,
    length: number,
    target: Uint8Array,
    targetOffset: number,
  ): number {
    if (this.#key === undefined) throw new KeyDestroyedError();
    checkRange(buffer, offset, length, 0);
    const plaintextBytes = length - TAG_BYTES;
    if (plaintextBytes < 0) return -1;
    checkRange(target, targetOffset, plaintextBytes, 0);
    writeNonce(counter, nonce);
    const decipher = createDecipheriv('chacha20-poly1305', this.#key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAuthTag(buffer.subarray(offset + plaintextBytes, offset + length));
    target.set(decipher.update(buffer.subarray(offset, offset + plaintextBytes)), targetOffset);
    try {
      decipher.final();
    } catch {
      return -1;
    }
    return plaintextBytes;
  }

  destroy(): void {
    this.#key?.fill(0);
    this.#key = undefined;
  }
}
