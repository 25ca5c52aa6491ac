import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { millis, seconds } from '../machine/index.ts';
import { TIMING } from './constants.ts';
import { KeypairOf, Keypairs, maySeal, mustRekeyOnSend } from './keypair.ts';
import { SHARED_REJECT_AFTER_MESSAGES, SHARED_REKEY_AFTER_MESSAGES } from './shared-send-counter.ts';
import { SharedSession } from './shared-session.ts';
import { sealTransportData } from './transport.ts';

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

describe('a keypair that threads share', () => {
  const shared = new SharedSession();
  const twins = [shared, new SharedSession(shared.memory)].map((session) => newSharedKeypair(session));

  function newSharedKeypair(session: SharedSession): KeypairOf<string> {
    const keys = { sendKey: new Uint8Array(32).fill(1), receiveKey: new Uint8Array(32).fill(2) };
    const times = { createdAt: millis(0), expiresAt: seconds(180) };
    const indices = { localIndex: 1, remoteIndex: 2 };
    return new KeypairOf(primitives, keys, { peer: 'peer', role: 'responder', ...indices, ...times, shared: session });
  }

  function seal(keypair: KeypairOf<string>): number {
    const datagram = new Uint8Array(32);
    return sealTransportData(keypair, datagram, 0, 0, 1420) < 0 ? -1 : datagram[8];
  }

  it('seals as many messages as were claimed, and no more', () => {
    const [here, there] = twins;
    assert.equal(seal(here), -1);
    here.claim(2);
    there.claim(1);
    assert.deepEqual([seal(here), seal(here), seal(here)], [0, 1, -1]);
    assert.deepEqual([seal(there), seal(there)], [2, -1]);
  });

  it('never goes back to counters that were claimed and not used', () => {
    const [here, there] = twins;
    here.claim(5);
    there.claim(1);
    here.claim(1);
    assert.deepEqual([seal(there), seal(here), seal(here)], [8, 9, -1]);
  });

  it('is renewed after 2^31 messages by whichever side, and seals none beyond its end', () => {
    const [here, there] = twins;
    assert.equal(mustRekeyOnSend(here, TIMING, millis(0)), false);
    new Uint32Array(shared.memory)[0] = SHARED_REKEY_AFTER_MESSAGES;
    assert.equal(mustRekeyOnSend(here, TIMING, millis(0)), true);
    assert.equal(maySeal(here, millis(0)), true);
    new Uint32Array(shared.memory)[0] = SHARED_REJECT_AFTER_MESSAGES - 1;
    there.claim(2);
    assert.deepEqual([seal(there), maySeal(there, millis(0))], [-1, true]);
    there.claim(1);
    assert.notEqual(seal(there), -1);
    assert.deepEqual([maySeal(here, millis(0)), maySeal(there, millis(0))], [false, false]);
    here.claim(1);
    assert.equal(seal(here), -1);
  });

  it('is of no use to any thread once one has destroyed it', () => {
    const session = new SharedSession();
    const [here, there] = [session, new SharedSession(session.memory)].map((one) => newSharedKeypair(one));
    here.destroy();
    there.claim(1);
    assert.equal(seal(there), -1);
    assert.equal(maySeal(there, millis(0)), false);
    assert.equal(there.replayWindow.accept({ high: 0, low: 0 }), false);
  });
});
