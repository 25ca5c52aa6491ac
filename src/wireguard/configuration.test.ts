import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { millis } from '../machine/index.ts';
import { wipeSecrets } from './configuration.ts';
import { Device } from './device.ts';

const primitives = nodePrimitives(chooseAead().aead);
const NOW = millis(0);

function configuredDevice() {
  const device = new Device({ primitives, unixTime: () => NOW });
  const publicKey = primitives.publicKey(primitives.randomBytes(32));
  const presharedKey = new Uint8Array(32).fill(7);
  device.configure({ privateKey: primitives.randomBytes(32), peers: [{ publicKey, presharedKey }] }, NOW);
  return { device, publicKey };
}

describe('the state of a device', () => {
  it('holds no secret where none is asked for, and all else', () => {
    const { device } = configuredDevice();
    const { privateKey, peers, ...rest } = device.state();
    assert.ok(privateKey !== undefined && peers[0].presharedKey !== undefined);
    const publicPeers = peers.map((peer) => ({ ...peer, presharedKey: undefined }));
    assert.deepEqual(device.publicState(), { ...rest, privateKey: undefined, peers: publicPeers });
  });

  it('is a copy that can be wiped', () => {
    const { device } = configuredDevice();
    const state = device.state();
    wipeSecrets(state);
    const keys = [state.privateKey!, state.peers[0].presharedKey!];
    assert.ok(keys.every((key) => key.every((byte) => byte === 0)));
    assert.ok(device.state().privateKey!.some((byte) => byte !== 0));
    assert.ok(device.state().peers[0].presharedKey!.some((byte) => byte !== 0));
  });
});

describe('a preshared key', () => {
  it('is gone from memory with its successor, and with its peer', () => {
    const { device, publicKey } = configuredDevice();
    const peer = device.findPeer(publicKey)!;
    const first = peer.presharedKey!;
    device.configure({ peers: [{ publicKey, presharedKey: new Uint8Array(32).fill(8) }] }, NOW);
    assert.deepEqual(first, new Uint8Array(32));
    const second = peer.presharedKey!;
    assert.deepEqual(second, new Uint8Array(32).fill(8));
    device.configure({ peers: [{ publicKey, remove: true }] }, NOW);
    assert.deepEqual(second, new Uint8Array(32));
  });
});
