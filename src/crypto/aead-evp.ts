/**
 * ChaCha20-Poly1305 (RFC 8439) through the EVP layer of Node's own OpenSSL, its public interface: one cipher context a key,
 * kept for the key's life, about 1.0 µs for 1,424 bytes. For where aead-direct.ts cannot be used. Tried and dropped: the
 * system's libcrypto (Node's symbols win, and it crashes), EVP_Cipher as one call for two (a wrong result on OpenSSL 3.0).
 */
import koffi from 'koffi';
import { addressed, addressedBuffer, checkRange } from './aead-buffer.ts';
import { AeadFailedError, KeyDestroyedError, OpenSslUnavailableError } from './aead-errors.ts';
import { checkKey } from './key-objects.ts';
import { NONCE_BYTES, TAG_BYTES, writeNonce } from './node.ts';
import type { Aead, AeadKey, Counter } from './primitives.ts';

/** @throws OpenSslUnavailableError where this Node does not export the functions */
export function evpAead(): Aead {
  const openSsl = loadOpenSsl();
  return (key) => new EvpAeadKey(openSsl, key);
}

type OpenSsl = ReturnType<typeof loadOpenSsl>;

const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;

/** Pointers are plain numbers (`uintptr_t`): half the cost of handing over the buffer itself. */
function loadOpenSsl() {
  try {
    const library = koffi.load(null);
    return {
      chacha20Poly1305: Number(library.func('uintptr_t EVP_chacha20_poly1305()')()),
      contextNew: library.func('uintptr_t EVP_CIPHER_CTX_new()'),
      contextFree: library.func('void EVP_CIPHER_CTX_free(uintptr_t)'),
      setKey: library.func('int EVP_EncryptInit_ex(uintptr_t, uintptr_t, uintptr_t, const uint8_t *, uintptr_t)'),
      encryptInit: library.func('int EVP_EncryptInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
      encryptUpdate: library.func('int EVP_EncryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
      encryptFinal: library.func('int EVP_EncryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
      decryptInit: library.func('int EVP_DecryptInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
      decryptUpdate: library.func('int EVP_DecryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
      decryptFinal: library.func('int EVP_DecryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
      control: library.func('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)'),
      clearErrors: library.func('void ERR_clear_error()'),
    };
  } catch (error) {
    throw new OpenSslUnavailableError(`this Node.js does not export OpenSSL: ${(error as Error).message}`);
  }
}

/** Scratch for all keys of this thread: calls are synchronous. */
const nonce = addressedBuffer(NONCE_BYTES);
const written = addressedBuffer(4);

class EvpAeadKey implements AeadKey {
  readonly #openSsl: OpenSsl;
  /** One context for both directions: OpenSSL keeps the key when `Init` is given nothing but a nonce. 0: destroyed. */
  #context: number;

  constructor(openSsl: OpenSsl, key: Uint8Array) {
    checkKey(key);
    this.#openSsl = openSsl;
    this.#context = Number(openSsl.contextNew());
    if (this.#context !== 0 && openSsl.setKey(this.#context, openSsl.chacha20Poly1305, 0, key, 0) === 1) return;
    this.destroy();
    throw new AeadFailedError('OpenSSL did not take a ChaCha20-Poly1305 key');
  }

  seal(counter: Counter, buffer: Uint8Array, offset: number, length: number): number {
    const context = this.#context;
    const openSsl = this.#openSsl;
    if (context === 0) throw new KeyDestroyedError();
    checkRange(buffer, offset, length, TAG_BYTES);
    const at = addressed(buffer).at(offset);
    writeNonce(counter, nonce.bytes);
    if (
      openSsl.encryptInit(context, 0, 0, 0, nonce.address) !== 1 ||
      openSsl.encryptUpdate(context, at, written.address, at, length) !== 1 ||
      written.view.getInt32(0, true) !== length ||
      openSsl.encryptFinal(context, at, written.address) !== 1 ||
      openSsl.control(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, at + length) !== 1
    ) {
      openSsl.clearErrors();
      throw new AeadFailedError('OpenSSL did not encrypt a packet');
    }
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
    const context = this.#context;
    const openSsl = this.#openSsl;
    if (context === 0) throw new KeyDestroyedError();
    checkRange(buffer, offset, length, 0);
    const plaintextBytes = length - TAG_BYTES;
    if (plaintextBytes < 0) return -1;
    checkRange(target, targetOffset, plaintextBytes, 0);
    const at = addressed(buffer).at(offset);
    const targetAt = addressed(target).at(targetOffset);
    writeNonce(counter, nonce.bytes);
    if (
      openSsl.decryptInit(context, 0, 0, 0, nonce.address) !== 1 ||
      openSsl.control(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, at + plaintextBytes) !== 1 ||
      openSsl.decryptUpdate(context, targetAt, written.address, at, plaintextBytes) !== 1 ||
      written.view.getInt32(0, true) !== plaintextBytes ||
      openSsl.decryptFinal(context, targetAt, written.address) !== 1
    ) {
      // What we leave in this thread's error queue, node:crypto would report as its own.
      openSsl.clearErrors();
      return -1;
    }
    return plaintextBytes;
  }

  destroy(): void {
    // OpenSSL wipes the key; it is the only copy. EVP_CIPHER_CTX_free(NULL) does nothing.
    this.#openSsl.contextFree(this.#context);
    this.#context = 0;
  }
}
