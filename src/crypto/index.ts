/**
 * What the pure floors need of cryptography, by node:crypto, @noble and Node's own OpenSSL:
 * `nodePrimitives(chooseAead().aead)`. X25519 (RFC 7748), ChaCha20-Poly1305 (RFC 8439), BLAKE2s (RFC 7693) and Ed25519
 * (RFC 8032) are theirs; nothing here is an implementation of a cipher, a hash or a curve.
 */
export type * from './primitives.ts';
export { AlgorithmMissingError, identityPrimitives, nodePrimitives } from './node.ts';
export { chooseAead, nodeAead, type AeadChoice, type AeadName } from './aead.ts';
