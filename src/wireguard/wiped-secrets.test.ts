import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import type { Primitives } from '../crypto/primitives.ts';
import { millis } from '../machine/index.ts';
import { Pair, type Side } from './pair-for-testing.ts';

const primitives = nodePrimitives(chooseAead().aead);

/** Primitives that remember what they gave out: all keys of a handshake come out of these two. */
function remembering(): { primitives: Primitives; derived: Uint8Array[]; shared: Uint8Array[] } {
  const [derived, shared]: [Uint8Array[], Uint8Array[]] = [[], []];
  const hmac: Primitives['hmac'] = (...input) => {
    const output = primitives.hmac(...input);
    derived.push(output);
    return output;
  };
  const sharedSecret: Primitives['sharedSecret'] = (...keys) => {
    const output = primitives.sharedSecret(...keys);
    if (output !== undefined) shared.push(output);
    return output;
  };
  return { primitives: { ...primitives, hmac, sharedSecret }, derived, shared };
}

const isWiped = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const forget = (side: Side, other: Side) =>
  side.device.configure({ peers: [{ publicKey: other.keys.publicKey, remove: true }] }, millis(0));

describe('nothing that was derived is left in memory', () => {
  it('of a handshake that is complete, but for the static shared secrets that serve the next one', () => {
    const { primitives: all, derived, shared } = remembering();
    const pair = new Pair(all);
    pair.configure();
    pair.send(pair.left, 'hello');
    pair.run(1000);
    assert.ok(derived.length > 0 && derived.every(isWiped));
    assert.equal(shared.filter((secret) => !isWiped(secret)).length, 2);
    forget(pair.left, pair.right);
    forget(pair.right, pair.left);
    assert.ok(shared.every(isWiped));
  });

  const refused: [what: string, prepare: (pair: Pair) => void][] = [
    ['of a stranger', (pair) => forget(pair.right, pair.left)],
    ['that was forged behind the static key', (pair) => (pair.sent[0].bytes[100] ^= 1)],
    ['that was forged in the static key', (pair) => (pair.sent[0].bytes[50] ^= 1)],
  ];
  for (const [what, prepare] of refused) {
    it(`of an initiation ${what}`, () => {
      const { primitives: all, derived } = remembering();
      const pair = new Pair({ ...all, equal: () => true });
      pair.configure();
      pair.loses = () => true;
      pair.send(pair.left, 'hello');
      prepare(pair);
      derived.length = 0;
      pair.receive(pair.right, pair.sent[0].bytes, pair.left.endpoint);
      assert.ok(derived.length > 0 && derived.every(isWiped));
    });
  }
});
