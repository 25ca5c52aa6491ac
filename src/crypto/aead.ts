/**
 * Transport encryption: ChaCha20-Poly1305 (RFC 8439) with WireGuard's nonce. Three implementations, of which the fastest
 * that this Node can run is chosen; `node dist/bench/aead.js` measures them.
 */
import { directAead } from './aead-direct.ts';
import { OpenSslUnavailableError } from './aead-errors.ts';
import { evpAead } from './aead-evp.ts';
import { nodeAead } from './aead-node.ts';
import { KEY_BYTES, TAG_BYTES } from './node.ts';
import type { Aead } from './primitives.ts';

export { nodeAead } from './aead-node.ts';
export * from './aead-errors.ts';
export type { Aead } from './primitives.ts';

export type AeadName = 'openssl-direct' | 'openssl-evp' | 'node-crypto';

export interface AeadChoice {
  readonly aead: Aead;
  readonly name: AeadName;
  /** Why it is not the fastest. */
  readonly reason?: string;
}

const FAST: readonly (readonly [AeadName, () => Aead])[] = [
  ['openssl-direct', directAead],
  ['openssl-evp', evpAead],
];

/** The fastest that works in this process. */
export function chooseAead(): AeadChoice {
  const reasons: string[] = [];
  for (const [name, load] of FAST) {
    try {
      const aead = provenAead(load);
      return reasons.length === 0 ? { aead, name } : { aead, name, reason: reasons.join('; ') };
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  return { aead: nodeAead, name: 'node-crypto', reason: reasons.join('; ') };
}

/** Every implementation that works in this process, the fastest first. */
export function workingAeads(): readonly (readonly [AeadName, Aead])[] {
  const found: [AeadName, Aead][] = [];
  for (const [name, load] of FAST) {
    try {
      found.push([name, provenAead(load)]);
    } catch (error) {
      if (!(error instanceof OpenSslUnavailableError)) throw error;
    }
  }
  return [...found, ['node-crypto', nodeAead]];
}

/** @throws OpenSslUnavailableError unless this Node exports an OpenSSL that computes the right thing */
function provenAead(load: () => Aead): Aead {
  const aead = load();
  if (!passesKnownAnswer(aead)) throw new OpenSslUnavailableError('OpenSSL gave a wrong result when called directly');
  return aead;
}

/**
 * The tags of the bytes `00 01 …` under the key `80 81 … 9f` with counter 2^32 + 2, computed by @noble/ciphers. A
 * wrong ciphertext has a wrong tag. The longer message goes through the processor's vector code.
 */
const KNOWN_TAGS: readonly (readonly [length: number, tag: string])[] = [
  [20, '8d6a53548ceb67bea7ccc723eaf2e389'],
  [2000, '453cf601777e8e5bb790d1852a0be6d5'],
];

function passesKnownAnswer(aead: Aead): boolean {
  const key = aead(Uint8Array.from({ length: KEY_BYTES }, (_, i) => 0x80 + i));
  const counter = { high: 1, low: 2 };
  try {
    // With memory before the message, and without.
    return [0, 65].every((offset) =>
      KNOWN_TAGS.every(([length, tag]) => {
        const message = Uint8Array.from({ length }, (_, i) => i);
        const buffer = new Uint8Array(offset + length + TAG_BYTES);
        const opened = new Uint8Array(buffer.length);
        buffer.set(message, offset);
        const sealed = key.seal(counter, buffer, offset, length);
        if (Buffer.from(buffer.subarray(offset + length)).toString('hex') !== tag) return false;
        if (key.open(counter, buffer, offset, sealed, opened, offset) !== length) return false;
        if (Buffer.compare(opened.subarray(offset, offset + length), message) !== 0) return false;
        buffer[offset + 5] ^= 1;
        return key.open(counter, buffer, offset, sealed, opened, offset) === -1;
      }),
    );
  } finally {
    key.destroy();
  }
}
