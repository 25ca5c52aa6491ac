/**
 * ChaCha20-Poly1305 (RFC 8439 §2.8) put together from OpenSSL's two halves, `ChaCha20_ctr32` and `Poly1305_*`, which
 * Node's binary exports. With nothing between us and the vector code, 1,424 bytes take 0.6 µs where OpenSSL's EVP layer
 * (aead-evp.ts) takes 1.0 (docs/decisions/0010-aead-from-its-halves.md).
 *
 * The functions are none of OpenSSL's public interface (openssl-internals.ts): a known answer must be tried before they
 * are relied on (aead.ts).
 */
import { addressed, addressedBuffer, checkRange } from './aead-buffer.ts';
import { KeyDestroyedError, OpenSslUnavailableError } from './aead-errors.ts';
import { checkKey } from './key-objects.ts';
import { KEY_BYTES, TAG_BYTES } from './node.ts';
import { openSslInternals } from './openssl-internals.ts';
import type { Aead, AeadKey, Counter } from './primitives.ts';

const BLOCK = 64;
const BLOCK_WORDS = 16;
const ONE_TIME_KEY_WORDS = 8;
const POLY1305_BLOCK = 16;

type OpenSsl = ReturnType<typeof loadOpenSsl>;

/** @throws OpenSslUnavailableError where this Node does not export the functions */
export function directAead(): Aead {
  const openSsl = loadOpenSsl();
  return (key) => new DirectAeadKey(openSsl, key);
}

function loadOpenSsl() {
  try {
    const library = openSslInternals();
    return {
      chacha20: library.func('void ChaCha20_ctr32(uintptr_t, uintptr_t, size_t, uintptr_t, uintptr_t)'),
      poly1305Init: library.func('void Poly1305_Init(uintptr_t, uintptr_t)'),
      poly1305Update: library.func('void Poly1305_Update(uintptr_t, uintptr_t, size_t)'),
      poly1305Final: library.func('void Poly1305_Final(uintptr_t, uintptr_t)'),
      poly1305State: addressedBuffer(Number(library.func('size_t Poly1305_ctx_size()')())),
    };
  } catch (error) {
    throw new OpenSslUnavailableError(`ChaCha20_ctr32 cannot be called: ${(error as Error).message}`);
  }
}

/** What all keys of this thread work with, since calls are synchronous. `lengths` ends what Poly1305 is taken of. */
const SCRATCH = { oneTimeKey: 0, tag: 64, padding: 80, lengths: 96, counter: 112, end: 128 } as const;
const scratch = addressedBuffer(SCRATCH.end);
const overwritten = new Uint32Array(BLOCK_WORDS);

/**
 * The one-time key of Poly1305 is the first half of block 0 of the key stream, and the packet is encrypted from block 1
 * on (RFC 8439 §2.6, §2.8). A call for that one block would take a quarter of the time of all. So the 64 bytes before
 * the packet go through the cipher with it, whatever they are: exclusive-or with what they were gives the block.
 */
class DirectAeadKey implements AeadKey {
  readonly #openSsl: OpenSsl;
  readonly #key = addressedBuffer(KEY_BYTES);
  #isDestroyed = false;

  constructor(openSsl: OpenSsl, key: Uint8Array) {
    checkKey(key);
    this.#openSsl = openSsl;
    this.#key.bytes.set(key);
  }

  seal(counter: Counter, buffer: Uint8Array, offset: number, length: number): number {
    if (this.#isDestroyed) throw new KeyDestroyedError();
    checkRange(buffer, offset, length, TAG_BYTES);
    const memory = addressed(buffer);
    const { view } = memory;
    const at = memory.at(offset);
    const before = offset - BLOCK;
    if (before < 0) {
      this.#deriveOneTimeKey(counter);
      this.#crypt(counter, 1, at, at, length);
    } else {
      for (let i = 0; i < BLOCK_WORDS; i++) overwritten[i] = view.getUint32(before + 4 * i, true);
      const start = memory.at(before);
      this.#crypt(counter, 0, start, start, BLOCK + length);
      for (let i = 0; i < ONE_TIME_KEY_WORDS; i++) {
        scratch.view.setUint32(SCRATCH.oneTimeKey + 4 * i, view.getUint32(before + 4 * i, true) ^ overwritten[i], true);
      }
      for (let i = 0; i < BLOCK_WORDS; i++) view.setUint32(before + 4 * i, overwritten[i], true);
    }
    this.#authenticate(at, length, memory.at(offset + length));
    return length + TAG_BYTES;
  }

  // The data path: an object for the parameters would be an allocation a packet.
  // eslint-disable-next-line max-params
  open(
    counter: Counter,
    buffer: Uint8Array,
    offset: number,
    length: number,
    target: Uint8Array,
    targetOffset: number,
  ): number {
    if (this.#isDestroyed) throw new KeyDestroyedError();
    const plaintextBytes = length - TAG_BYTES;
    checkRange(buffer, offset, length, 0);
    if (plaintextBytes < 0) return -1;
    checkRange(target, targetOffset, plaintextBytes, 0);
    const from = addressed(buffer);
    const to = addressed(target);
    const at = from.at(offset);
    const targetAt = to.at(targetOffset);
    if (offset < BLOCK || targetOffset < BLOCK) {
      this.#deriveOneTimeKey(counter);
      this.#crypt(counter, 1, targetAt, at, plaintextBytes);
    } else {
      this.#crypt(counter, 0, to.at(targetOffset - BLOCK), from.at(offset - BLOCK), BLOCK + plaintextBytes);
      for (let i = 0; i < ONE_TIME_KEY_WORDS; i++) {
        const before = 4 * i - BLOCK;
        const word = from.view.getUint32(offset + before, true) ^ to.view.getUint32(targetOffset + before, true);
        scratch.view.setUint32(SCRATCH.oneTimeKey + 4 * i, word, true);
      }
    }
    this.#authenticate(at, plaintextBytes, scratch.address + SCRATCH.tag);
    return isExpectedTag(from.view, offset + plaintextBytes) ? plaintextBytes : -1;
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#key.bytes.fill(0);
    scratch.bytes.fill(0, 0, SCRATCH.tag);
    this.#openSsl.poly1305State.bytes.fill(0);
  }

  #deriveOneTimeKey(counter: Counter): void {
    const at = scratch.address + SCRATCH.oneTimeKey;
    scratch.bytes.fill(0, SCRATCH.oneTimeKey, SCRATCH.oneTimeKey + BLOCK);
    this.#crypt(counter, 0, at, at, BLOCK);
  }

  /** ChaCha20 from block `block` of the key stream on, with WireGuard's nonce (whitepaper §5.4.6). */
  // eslint-disable-next-line max-params
  #crypt(counter: Counter, block: number, output: number, input: number, length: number): void {
    const { view, address } = scratch;
    view.setUint32(SCRATCH.counter, block, true);
    view.setUint32(SCRATCH.counter + 8, counter.low, true);
    view.setUint32(SCRATCH.counter + 12, counter.high, true);
    this.#openSsl.chacha20(output, input, length, this.#key.address, address + SCRATCH.counter);
  }

  /** Poly1305 of the ciphertext, zeros up to a multiple of 16, and the lengths of no associated data and of it (§2.8). */
  #authenticate(ciphertext: number, length: number, tag: number): void {
    const { poly1305Init, poly1305Update, poly1305Final, poly1305State } = this.#openSsl;
    const padding = -length & (POLY1305_BLOCK - 1);
    scratch.view.setUint32(SCRATCH.lengths + 8, length, true);
    poly1305Init(poly1305State.address, scratch.address + SCRATCH.oneTimeKey);
    poly1305Update(poly1305State.address, ciphertext, length);
    poly1305Update(poly1305State.address, scratch.address + SCRATCH.lengths - padding, padding + POLY1305_BLOCK);
    poly1305Final(poly1305State.address, tag);
  }
}

/** In constant time. */
function isExpectedTag(view: DataView, offset: number): boolean {
  let difference = 0;
  for (let i = 0; i < TAG_BYTES; i += 4)
    difference |= view.getInt32(offset + i) ^ scratch.view.getInt32(SCRATCH.tag + i);
  return difference === 0;
}
