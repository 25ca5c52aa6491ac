/** Who a node is: an Ed25519 key (RFC 8032). The node id is the SHA-224 digest of its public half. */
import type { IdentityPrimitives } from '../crypto/primitives.ts';
import type { IpAddress } from '../inet/index.ts';
import { addressOfNode } from './address.ts';
import { toHex } from './hex.ts';

export const NODE_ID_BYTES = 28;
export const IDENTITY_KEY_BYTES = 32;

/** What everybody may know of an identity. */
export interface PublicIdentity {
  readonly publicKey: Uint8Array;
  /** As hexadecimal text. */
  readonly nodeId: string;
  readonly address: IpAddress;
}

export interface Identity extends PublicIdentity {
  /** 32 secret bytes. Kept, not copied. */
  readonly seed: Uint8Array;
}

export function identityFromSeed(seed: Uint8Array, primitives: IdentityPrimitives): Identity {
  return { seed, ...identityOfKey(primitives.identityPublicKey(seed), primitives) };
}

export function identityOfKey(publicKey: Uint8Array, { sha224 }: Pick<IdentityPrimitives, 'sha224'>): PublicIdentity {
  const digest = sha224(publicKey);
  return { publicKey, nodeId: toHex(digest), address: addressOfNode(digest) };
}
