/**
 * ChaCha20-Poly1305 with associated data, of short messages with a key each: what a handshake seals. (Of transport,
 * whose keys live on, aead.ts.) One context of OpenSSL serves all calls: 1 µs, where node:crypto makes one a call and
 * takes 8, 30 on Node 24.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import koffi from 'koffi';
import { WiremeshError } from '../error.ts';
import { addressedBuffer } from './aead-buffer.ts';
import { KEY_BYTES } from './key-objects.ts';

export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;
export const CIPHER = 'chacha20-poly1305';

/** ChaCha20-Poly1305 with any 12-byte nonce (RFC 8439 §2.8). */
export interface Sealing {
  /** @returns ciphertext and tag */
  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associatedData: Uint8Array): Uint8Array;
  /** @returns the plaintext, or `undefined` if the tag does not match */
  open(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, associatedData: Uint8Array): Uint8Array | undefined;
}

/** OpenSSL refused to seal; nothing was sealed. */
export class SealingFailedError extends WiremeshError {
  readonly code = 'SEALING_FAILED';
}

/** The fastest that works in this process. */
export function chooseSealing(): Sealing {
  try {
    return openSslSealing();
  } catch {
    return nodeSealing;
  }
}

/** Works with every build of Node. */
export const nodeSealing: Sealing = {
  seal(key, nonce, plaintext, associatedData) {
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associatedData, { plaintextLength: plaintext.length });
    const sealed = new Uint8Array(plaintext.length + TAG_BYTES);
    sealed.set(cipher.update(plaintext));
    cipher.final();
    sealed.set(cipher.getAuthTag(), plaintext.length);
    return sealed;
  },

  open(key, nonce, ciphertext, associatedData) {
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
    return Uint8Array.from(plaintext);
  },
};

/** What is longer than anything in a handshake goes to node:crypto. */
const LONGEST_TEXT = 512;
const LONGEST_ASSOCIATED_DATA = 128;
const MEMORY = { key: 0, nonce: 32, written: 48, text: 64, associatedData: 592, end: 720 } as const;
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;

/** @throws Error where this Node does not export an OpenSSL that computes the right thing */
export function openSslSealing(): Sealing {
  const sealing = new OpenSslSealing();
  const [key, nonce, text] = [new Uint8Array(KEY_BYTES), new Uint8Array(NONCE_BYTES), Uint8Array.of(1, 2, 3)];
  const sealed = sealing.seal(key, nonce, text, key);
  if (Buffer.compare(sealed, nodeSealing.seal(key, nonce, text, key)) === 0) return sealing;
  throw new SealingFailedError('OpenSSL sealed wrongly when called directly');
}

class OpenSslSealing implements Sealing {
  readonly #openSsl = loadOpenSsl();
  readonly #context = this.#newContext();
  readonly #memory = addressedBuffer(MEMORY.end);

  seal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associatedData: Uint8Array): Uint8Array {
    if (!fits(key, nonce, plaintext.length, associatedData.length)) {
      return nodeSealing.seal(key, nonce, plaintext, associatedData);
    }
    const { encryptInit, encryptUpdate, encryptFinal, control } = this.#openSsl;
    const { bytes, address } = this.#memory;
    const [context, text, written] = [this.#context, address + MEMORY.text, address + MEMORY.written];
    this.#write(key, nonce, plaintext, associatedData);
    const isDone =
      encryptInit(context, 0, 0, address + MEMORY.key, address + MEMORY.nonce) === 1 &&
      encryptUpdate(context, 0, written, address + MEMORY.associatedData, associatedData.length) === 1 &&
      encryptUpdate(context, text, written, text, plaintext.length) === 1 &&
      encryptFinal(context, text, written) === 1 &&
      control(context, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + plaintext.length) === 1;
    const sealed = bytes.slice(MEMORY.text, MEMORY.text + plaintext.length + TAG_BYTES);
    this.#wipe();
    if (!isDone) throw new SealingFailedError('OpenSSL did not seal a handshake message');
    return sealed;
  }

  open(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, associatedData: Uint8Array): Uint8Array | undefined {
    const length = ciphertext.length - TAG_BYTES;
    if (!fits(key, nonce, length, associatedData.length)) {
      return nodeSealing.open(key, nonce, ciphertext, associatedData);
    }
    const { decryptInit, decryptUpdate, decryptFinal, control } = this.#openSsl;
    const { bytes, address } = this.#memory;
    const [context, text, written] = [this.#context, address + MEMORY.text, address + MEMORY.written];
    this.#write(key, nonce, ciphertext, associatedData);
    const isAuthentic =
      decryptInit(context, 0, 0, address + MEMORY.key, address + MEMORY.nonce) === 1 &&
      control(context, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, text + length) === 1 &&
      decryptUpdate(context, 0, written, address + MEMORY.associatedData, associatedData.length) === 1 &&
      decryptUpdate(context, text, written, text, length) === 1 &&
      decryptFinal(context, text, written) === 1;
    const plaintext = isAuthentic ? bytes.slice(MEMORY.text, MEMORY.text + length) : undefined;
    this.#wipe();
    return plaintext;
  }

  #write(key: Uint8Array, nonce: Uint8Array, text: Uint8Array, associatedData: Uint8Array): void {
    const { bytes } = this.#memory;
    bytes.set(key, MEMORY.key);
    bytes.set(nonce, MEMORY.nonce);
    bytes.set(text, MEMORY.text);
    bytes.set(associatedData, MEMORY.associatedData);
  }

  /** The context keeps its last key, so it is given one that is no secret. */
  #wipe(): void {
    const { bytes, address } = this.#memory;
    bytes.fill(0);
    this.#openSsl.encryptInit(this.#context, 0, 0, address + MEMORY.key, address + MEMORY.nonce);
    // What stays in this thread's error queue, node:crypto would report as its own.
    this.#openSsl.clearErrors();
  }

  #newContext(): number {
    const { contextNew, encryptInit, chacha20Poly1305 } = this.#openSsl;
    const context = Number(contextNew());
    if (context !== 0 && encryptInit(context, chacha20Poly1305, 0, 0, 0) === 1) return context;
    throw new SealingFailedError('OpenSSL has no ChaCha20-Poly1305');
  }
}

function loadOpenSsl() {
  const library = koffi.load(null);
  return {
    chacha20Poly1305: Number(library.func('uintptr_t EVP_chacha20_poly1305()')()),
    contextNew: library.func('uintptr_t EVP_CIPHER_CTX_new()'),
    encryptInit: library.func('int EVP_EncryptInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
    encryptUpdate: library.func('int EVP_EncryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
    encryptFinal: library.func('int EVP_EncryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
    decryptInit: library.func('int EVP_DecryptInit_ex(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
    decryptUpdate: library.func('int EVP_DecryptUpdate(uintptr_t, uintptr_t, uintptr_t, uintptr_t, int)'),
    decryptFinal: library.func('int EVP_DecryptFinal_ex(uintptr_t, uintptr_t, uintptr_t)'),
    control: library.func('int EVP_CIPHER_CTX_ctrl(uintptr_t, int, int, uintptr_t)'),
    clearErrors: library.func('void ERR_clear_error()'),
  };
}

function fits(key: Uint8Array, nonce: Uint8Array, textBytes: number, associatedBytes: number): boolean {
  return (
    key.length === KEY_BYTES &&
    nonce.length === NONCE_BYTES &&
    textBytes >= 0 &&
    textBytes <= LONGEST_TEXT &&
    associatedBytes <= LONGEST_ASSOCIATED_DATA
  );
}
