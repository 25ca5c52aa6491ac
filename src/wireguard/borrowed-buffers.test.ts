import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { Pair, packetOf, textOf } from './pair-for-testing.ts';

const primitives = nodePrimitives(chooseAead().aead);

/** Node's Buffer is a Uint8Array whose `slice` copies nothing. */
describe('what an application hands to a device as a Buffer', () => {
  it('stays as it is, and may be wiped: keys', () => {
    const pair = new Pair(primitives);
    pair.configure();
    const keys = [primitives.randomBytes(32), pair.right.keys.publicKey, new Uint8Array(32).fill(7)];
    const [privateKey, publicKey, presharedKey] = keys.map((key) => Buffer.from(key));
    const { device } = pair.left;
    device.configure({ privateKey, peers: [{ publicKey, presharedKey }] }, pair.now);
    assert.deepEqual(
      [privateKey, publicKey, presharedKey].map((key) => new Uint8Array(key)),
      keys,
    );
    const before = device.state();
    for (const key of [privateKey, publicKey, presharedKey]) key.fill(0);
    assert.deepEqual(device.state(), before);
  });

  it('stays as it is, and may be used again: packets and datagrams', () => {
    const pair = new Pair(primitives);
    pair.configure();
    const packet = Buffer.from(packetOf(1, 2, 'hello'));
    pair.left.device.handlePacket(packet, pair.now);
    packet.fill(0);
    pair.drain();
    pair.run(1000);
    assert.deepEqual(pair.right.delivered.map(textOf), ['hello']);

    pair.loses = () => true;
    pair.send(pair.left, 'again');
    const datagram = Buffer.from(pair.sent.at(-1)!.bytes);
    const copy = new Uint8Array(datagram);
    pair.receive(pair.right, datagram, pair.left.endpoint);
    assert.deepEqual(new Uint8Array(datagram), copy);
    datagram.fill(0);
    assert.deepEqual(pair.right.delivered.map(textOf), ['hello', 'again']);
  });
});
