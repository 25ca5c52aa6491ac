import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { millis, seconds } from '../machine/index.ts';
import { KeypairOf, Keypairs } from './keypair.ts';

const primitives = nodePrimitives(chooseAead().aead);

function newKeypair(role: 'initiator' | 'responder', localIndex: number, createdAt = 0): KeypairOf<string> {
  const keys = { sendKey: new Uint8Array(32).fill(1), receiveKey: new Uint8Array(32).fill(2) };
  const times = { createdAt: millis(createdAt), expiresAt: millis(createdAt + seconds(180)) };
  return new KeypairOf(primitives, keys, { peer: 'peer', role, localIndex, remoteIndex: 0, ...times });
}

function newKeypairs() {
  const released: number[] = [];
  const keypairs = new Keypairs<string>(({ localIndex }) => released.push(localIndex));
  const slots = () => [keypairs.previous, keypairs.current, keypairs.next].map((keypair) => keypair?.localIndex);
  return { keypairs, released, slots };
}

describe('the keypairs of a peer (whitepaper §6.3)', () => {
  it("make an initiator's current at once, and destroy what was previous", () => {
    const { keypairs, released, slots } = newKeypairs();
    for (const index of [1, 2, 3]) keypairs.add(newKeypair('initiator', index));
    assert.deepEqual([slots(), released], [[2, 3, undefined], [1]]);
  });

  it("make a responder's current with the first message on it, and only then give up the older ones", () => {
    const { keypairs, released, slots } = newKeypairs();
    const [first, second, third] = [1, 2, 3].map((index) => newKeypair('responder', index));
    keypairs.add(first);
    assert.equal(keypairs.confirm(first), true);
    keypairs.add(second);
    assert.equal(keypairs.confirm(first), false);
    assert.deepEqual([slots(), released], [[undefined, 1, 2], []]);
    assert.equal(keypairs.confirm(second), true);
    assert.equal(keypairs.confirm(second), false);
    keypairs.add(third);
    keypairs.confirm(third);
    assert.deepEqual([slots(), released, first.destroyed], [[2, 3, undefined], [1], true]);
  });

  it('replace an unconfirmed next by a newer one', () => {
    const { keypairs, released, slots } = newKeypairs();
    for (const index of [1, 2]) keypairs.add(newKeypair('responder', index));
    assert.deepEqual([slots(), released], [[undefined, undefined, 2], [1]]);
  });

  it('keep what the other side may seal with after simultaneous handshakes', () => {
    const { keypairs, released, slots } = newKeypairs();
    keypairs.add(newKeypair('initiator', 1));
    keypairs.add(newKeypair('responder', 2));
    keypairs.add(newKeypair('initiator', 3));
    assert.deepEqual([slots(), released], [[2, 3, undefined], [1]]);
  });

  it('are destroyed one by one as they grow too old', () => {
    const { keypairs, released } = newKeypairs();
    keypairs.add(newKeypair('initiator', 1, 0));
    keypairs.add(newKeypair('initiator', 2, 120_000));
    keypairs.add(newKeypair('responder', 3, 130_000));
    assert.equal(keypairs.expire(millis(179_999)), 180_000);
    assert.equal(keypairs.expire(millis(180_000)), 300_000);
    assert.deepEqual(released, [1]);
    assert.equal(keypairs.expire(millis(310_000)), undefined);
    assert.deepEqual(released, [1, 2, 3]);
  });
});
