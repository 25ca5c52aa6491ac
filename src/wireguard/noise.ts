import type { Counter, Primitives } from '../crypto/primitives.ts';
import { CONSTRUCTION, IDENTIFIER } from './constants.ts';

/** Every key of the handshake seals once (Noise specification §5.2; whitepaper §5.4.2). */
const FIRST: Counter = { high: 0, low: 0 };

/**
 * Chaining key and hash of a handshake: the symmetric state of the Noise Protocol Framework (§5.2), by the
 * whitepaper's names (§5.4). It changes in place and wipes what it replaces; work on a `copy` where a step may fail.
 */
export class Transcript {
  readonly #primitives: Primitives;
  #chainingKey: Uint8Array;
  #hash: Uint8Array;
  #key: Uint8Array = new Uint8Array(0);

  constructor(primitives: Primitives, chainingKey: Uint8Array, hash: Uint8Array) {
    this.#primitives = primitives;
    this.#chainingKey = chainingKey;
    this.#hash = hash;
  }

  /** How every handshake with the owner of `responderPublicKey` begins. */
  static start(primitives: Primitives, responderPublicKey: Uint8Array): Transcript {
    const chainingKey = primitives.hash(CONSTRUCTION);
    const hash = primitives.hash(primitives.hash(chainingKey, IDENTIFIER), responderPublicKey);
    return new Transcript(primitives, chainingKey, hash);
  }

  copy(): Transcript {
    const copy = new Transcript(this.#primitives, this.#chainingKey.slice(), this.#hash.slice());
    copy.#key = this.#key.slice();
    return copy;
  }

  mixHash(bytes: Uint8Array): void {
    this.#hash = this.#primitives.hash(this.#hash, bytes);
  }

  /** C := KDF1(C, input), where no key is wanted. */
  mixChainingKey(input: Uint8Array): void {
    const [chainingKey] = this.#kdf(input, 1);
    this.#replace(chainingKey, new Uint8Array(0));
  }

  /** (C, κ) := KDF2(C, input). */
  mixKey(input: Uint8Array): void {
    const [chainingKey, key] = this.#kdf(input, 2);
    this.#replace(chainingKey, key);
  }

  /** (C, τ, κ) := KDF3(C, Q); H := HASH(H ‖ τ). */
  mixPresharedKey(presharedKey: Uint8Array): void {
    const [chainingKey, tau, key] = this.#kdf(presharedKey, 3);
    this.#replace(chainingKey, key);
    this.mixHash(tau);
    tau.fill(0);
  }

  /** Seals with the key of the last `mixKey` and mixes in what comes out. */
  seal(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#primitives.seal(this.#key, FIRST, plaintext, this.#hash);
    this.mixHash(ciphertext);
    return ciphertext;
  }

  /** @returns the plaintext, or `undefined` if `ciphertext` is not authentic; the transcript is of no use then */
  open(ciphertext: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#primitives.open(this.#key, FIRST, ciphertext, this.#hash);
    this.mixHash(ciphertext);
    return plaintext;
  }

  /** The two transport keys, the initiator's sending key first (whitepaper §5.4.5). Wipes the transcript. */
  split(): [initiatorKey: Uint8Array, responderKey: Uint8Array] {
    const [initiatorKey, responderKey] = this.#kdf(new Uint8Array(0), 2);
    this.wipe();
    return [initiatorKey, responderKey];
  }

  wipe(): void {
    this.#chainingKey.fill(0);
    this.#key.fill(0);
  }

  #replace(chainingKey: Uint8Array, key: Uint8Array): void {
    this.wipe();
    this.#chainingKey = chainingKey;
    this.#key = key;
  }

  /** KDFn(C, input) (whitepaper §5.4): HKDF with HMAC-BLAKE2s (RFC 5869). */
  #kdf(input: Uint8Array, count: 1 | 2 | 3): Uint8Array[] {
    const { hmac } = this.#primitives;
    const secret = hmac(this.#chainingKey, input);
    const outputs: Uint8Array[] = [];
    let last: Uint8Array = new Uint8Array(0);
    for (let i = 1; i <= count; i++) {
      last = hmac(secret, last, Uint8Array.of(i));
      outputs.push(last);
    }
    secret.fill(0);
    return outputs;
  }
}
