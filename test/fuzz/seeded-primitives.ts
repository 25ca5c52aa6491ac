import { chooseAead } from '../../src/crypto/aead.ts';
import { nodePrimitives } from '../../src/crypto/node.ts';
import type { Primitives } from '../../src/crypto/primitives.ts';
import { Random } from './random.ts';

/** Real cryptography whose keys are the same in every run. */
export function seededPrimitives(): Primitives {
  const random = new Random(7, 7);
  return { ...nodePrimitives(chooseAead().aead), randomBytes: (length) => random.bytes(length) };
}
