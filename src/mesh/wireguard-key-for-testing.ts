import { identityPrimitives } from '../crypto/node.ts';
import { nodeX25519 } from '../crypto/x25519.ts';
import { signXeddsa } from '../crypto/xeddsa.ts';
import { toHex } from './hex.ts';
import { keyProofMessage } from './key-proof.ts';

export interface ProvedKey {
  readonly wireGuardPublicKey: Uint8Array;
  readonly wireGuardKeyProof: Uint8Array;
}

/** A proof takes a few milliseconds, and the same hosts start in many tests. */
const made = new Map<string, ProvedKey>();

/** A real WireGuard key, and the proof that it belongs to `identityKey`. */
export function provedKey(privateKey: Uint8Array, identityKey: Uint8Array, meshName = 'test'): ProvedKey {
  const name = [toHex(privateKey), toHex(identityKey), meshName].join(' ');
  const message = keyProofMessage(meshName, identityKey);
  const key = made.get(name) ?? {
    wireGuardPublicKey: nodeX25519.publicKey(privateKey),
    wireGuardKeyProof: signXeddsa(privateKey, message, identityPrimitives.randomBytes(64)),
  };
  made.set(name, key);
  return key;
}
