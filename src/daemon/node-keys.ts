import type { IdentityPrimitives, KeyPair } from '../crypto/primitives.ts';
import type { KeyName, StateDirectory } from './state-directory.ts';

/** The keys a node runs with, and which of them are not yet on disk. */
export interface NodeKeys {
  readonly identitySeed: Uint8Array;
  readonly wireGuard: KeyPair;
  readonly unstored: readonly KeyName[];
}

/** What keys are made with. */
export interface KeyPrimitives extends Pick<IdentityPrimitives, 'randomBytes'> {
  publicKey(privateKey: Uint8Array): Uint8Array;
}

/** Reads the keys, and makes those that are missing. Writes nothing: the start may still fail. */
export function readOrMakeKeys(
  state: StateDirectory,
  wireguardKey: 'persistent' | 'per-session',
  primitives: KeyPrimitives,
): NodeKeys {
  const identity = state.readKey('identity');
  const wireGuard = wireguardKey === 'persistent' ? state.readKey('wireguard') : undefined;
  const identitySeed = identity ?? primitives.randomBytes(32);
  const privateKey = wireGuard ?? clamped(primitives.randomBytes(32));
  const unstored: KeyName[] = [];
  if (identity === undefined) unstored.push('identity');
  if (wireGuard === undefined && wireguardKey === 'persistent') unstored.push('wireguard');
  return { identitySeed, wireGuard: { privateKey, publicKey: primitives.publicKey(privateKey) }, unstored };
}

export function storeKeys(state: StateDirectory, { identitySeed, wireGuard, unstored }: NodeKeys): void {
  for (const name of unstored) state.storeKey(name, name === 'identity' ? identitySeed : wireGuard.privateKey);
}

/** A private key as RFC 7748 §5 decodes it: other tools compare and print keys in this form. */
function clamped(key: Uint8Array): Uint8Array {
  key[0] &= 0xf8;
  key[31] = (key[31] & 0x7f) | 0x40;
  return key;
}
