/** The vectors of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko 2020): where verifiers of Ed25519 part ways. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../../src/crypto/node.ts';
import { bytes, readVectors } from './files.ts';

interface Vector {
  readonly message: string;
  readonly pub_key: string;
  readonly signature: string;
}

/** Of ed25519-speccheck's fifteen, by place: what is special, and whether we accept it. */
const EXPECTED: readonly (readonly [what: string, isValid: boolean])[] = [
  ['S = 0, A and R of small order, right with the cofactor only', false],
  ['S = 0, A and R of small order', false],
  ['A of small order, R mixed, right with the cofactor only', false],
  ['A of small order, R mixed', false],
  ['R of small order, A mixed, right with the cofactor only', false],
  ['R of small order, A mixed', false],
  ['A and R mixed', true],
  ['A and R mixed, right with the cofactor only', false],
  ['A and R mixed, right where 8·k is not reduced before', false],
  ['S above L', false],
  ['S above L by so much that its highest bit is set', false],
  ['R non-canonical and of small order, hashed in its canonical form', false],
  ['R non-canonical and of small order, hashed as it is', false],
  ['A non-canonical and of small order, hashed in its canonical form', false],
  ['A non-canonical and of small order, hashed as it is', false],
];

describe("ed25519-speccheck's vectors", () => {
  const vectors = JSON.parse(readVectors('speccheck-ed25519.json')) as Vector[];

  for (const [i, [what, isValid]] of EXPECTED.entries()) {
    it(`${isValid ? 'accepted' : 'refused'}: ${what}`, () => {
      const { message, pub_key: publicKey, signature } = vectors[i];
      assert.equal(identityPrimitives.verify(bytes(publicKey), bytes(message), bytes(signature)), isValid);
    });
  }

  it('are these and no more', () => {
    assert.equal(vectors.length, EXPECTED.length);
  });
});
