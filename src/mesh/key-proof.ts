/**
 * That a node has the private half of the WireGuard key in its description: without a proof, whoever signs a description
 * could name the key of somebody else and take its place. Both keys consent to be of one node: the identity signs the
 * description, the WireGuard key what is here. The proof is the same for as long as the key is.
 */
import * as cbor from 'cborg';
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import { domain } from './domain.ts';
import { toHex } from './hex.ts';

export const KEY_PROOF_BYTES = 64;
const LABEL = domain('wiremesh wireguard key v1');
const MAX_REMEMBERED = 4096;

/** What the WireGuard key signs: in which mesh, and for whom. */
export function keyProofMessage(meshName: string, identityKey: Uint8Array): Uint8Array {
  return Uint8Array.of(...LABEL, ...cbor.encode(meshName), ...identityKey);
}

interface Binding {
  readonly meshName: string;
  readonly wireGuardPublicKey: Uint8Array;
  readonly wireGuardKeyProof: Uint8Array;
}

export function isKeyProved(
  { meshName, wireGuardPublicKey, wireGuardKeyProof }: Binding,
  identityKey: Uint8Array,
  { verifyKeyProof }: Pick<IdentityPrimitives, 'verifyKeyProof'>,
): boolean {
  return verifyKeyProof(wireGuardPublicKey, keyProofMessage(meshName, identityKey), wireGuardKeyProof);
}

/** As `verifyKeyProof`, but what was right is not computed again: a node shows the same proof in all its descriptions. */
export function rememberingProofs({
  verifyKeyProof,
}: Pick<IdentityPrimitives, 'verifyKeyProof'>): IdentityPrimitives['verifyKeyProof'] {
  /** The oldest first. */
  const right = new Set<string>();
  return (wireGuardPublicKey, message, proof) => {
    const key = [wireGuardPublicKey, message, proof].map(toHex).join(' ');
    if (right.has(key)) return true;
    if (!verifyKeyProof(wireGuardPublicKey, message, proof)) return false;
    if (right.size >= MAX_REMEMBERED) right.delete(right.values().next().value as string);
    right.add(key);
    return true;
  };
}
