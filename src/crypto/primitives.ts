/**
 * What the pure floors need of cryptography, as interfaces only; implementations are handed in by the composition
 * roots. Keys are raw bytes. Nothing here keeps a reference to a buffer it was given, unless it says so.
 */

/**
 * A 64-bit message counter as two unsigned 32-bit halves: exact beyond 2^53, and no allocation a packet
 * (docs/decisions/0003-counters-are-two-halves.md).
 */
export interface Counter {
  high: number;
  low: number;
}

/** Makes a transport key of 32 bytes, which it copies. */
export type Aead = (key: Uint8Array) => AeadKey;

/** One direction of a transport session: ChaCha20-Poly1305 (RFC 8439) with WireGuard's nonce, no associated data. */
export interface AeadKey {
  /**
   * Encrypts `length` bytes from `offset` in `buffer` in place and puts the 16-byte tag behind them. Allocates nothing.
   * With 64 bytes before `offset` it is faster; they are as before afterwards.
   * @returns the number of bytes now in use, `length + 16`
   * @throws RangeError if `buffer` has no room for the tag
   */
  seal(counter: Counter, buffer: Uint8Array, offset: number, length: number): number;
  /**
   * Decrypts `length` bytes from `offset` of `buffer`, the tag included, to `targetOffset` of `target`, which is other
   * memory. Allocates nothing. The 64 bytes before `targetOffset` may be overwritten; with 64 bytes before both
   * offsets it is faster.
   * @returns the length of the plaintext, or -1 if the tag does not match; what is in `target` then is not to be used
   * @throws RangeError if `target` has no room for the plaintext
   */
  open(
    counter: Counter,
    buffer: Uint8Array,
    offset: number,
    length: number,
    target: Uint8Array,
    targetOffset: number,
  ): number;
  /** Wipes the key and frees what belongs to it. The key is of no use afterwards. */
  destroy(): void;
}

export interface KeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** What WireGuard is built of (whitepaper §5.4). */
export interface Primitives {
  /** Cryptographically strong random bytes. */
  randomBytes(length: number): Uint8Array;
  /** BLAKE2s, 32 bytes out (RFC 7693), of the parts one behind the other. */
  hash(...parts: Uint8Array[]): Uint8Array;
  /** Keyed BLAKE2s, 16 bytes out. `key` has 1 to 32 bytes. */
  mac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array;
  /** HMAC-BLAKE2s, 32 bytes out. */
  hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array;
  /** The X25519 public key of a private one (RFC 7748). Clamps, as X25519 does. */
  publicKey(privateKey: Uint8Array): Uint8Array;
  /** X25519. `undefined` where the shared secret is all zeros (RFC 7748 §6.1), found out in constant time. */
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined;
  /** ChaCha20-Poly1305, nonce = 32 zero bits and the little-endian counter. @returns ciphertext and tag */
  seal(key: Uint8Array, counter: Counter, plaintext: Uint8Array, associatedData: Uint8Array): Uint8Array;
  /** @returns the plaintext, or `undefined` if the tag does not match */
  open(key: Uint8Array, counter: Counter, ciphertext: Uint8Array, associatedData: Uint8Array): Uint8Array | undefined;
  /** XChaCha20-Poly1305 with a 24-byte nonce, for cookie replies. @returns ciphertext and tag */
  sealWithNonce(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, associatedData: Uint8Array): Uint8Array;
  /** @returns the plaintext, or `undefined` if the tag does not match */
  openWithNonce(
    key: Uint8Array,
    nonce: Uint8Array,
    ciphertext: Uint8Array,
    associatedData: Uint8Array,
  ): Uint8Array | undefined;
  /** The key of one direction of a transport session. Copies `key` (32 bytes). */
  aeadKey(key: Uint8Array): AeadKey;
  /** Whether two secrets are equal, in time that depends on their length alone. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

/** What a node's identity is built of: Ed25519 (RFC 8032) and SHA-224 (FIPS 180-4). */
export interface IdentityPrimitives {
  randomBytes(length: number): Uint8Array;
  sha224(...parts: Uint8Array[]): Uint8Array;
  /** The Ed25519 public key (32 bytes) of a 32-byte seed. */
  identityPublicKey(seed: Uint8Array): Uint8Array;
  /** @returns a 64-byte signature */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /** Strict (docs/decisions/0029-strict-ed25519.md): false for a public key that `isStrictEd25519PublicKey` refuses. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /**
   * Whether these are 32 bytes that can be somebody's public key: of no small order, whose signatures anybody could make
   * up, and in their only encoding. Costs no arithmetic; that the curve has such a point shows when a signature verifies.
   */
  isStrictEd25519PublicKey(publicKey: Uint8Array): boolean;
  /**
   * Whether `proof` (64 bytes) was made for `message` with the private half of this X25519 key (XEdDSA). False for a key
   * of low order or in another encoding than X25519 gives.
   */
  verifyKeyProof(wireGuardPublicKey: Uint8Array, message: Uint8Array, proof: Uint8Array): boolean;
}
