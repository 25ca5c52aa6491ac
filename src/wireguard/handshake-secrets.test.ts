import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { parseEndpoint } from '../inet/index.ts';
import { millis } from '../machine/index.ts';
import { Device } from './device.ts';
import type { DeviceOutput } from './peer.ts';
import { packetOf } from './pair-for-testing.ts';

const primitives = nodePrimitives(chooseAead().aead);
const NOW = millis(1000);
const [LEFT, RIGHT] = ['192.0.2.1:1000', '192.0.2.2:2000'].map((text) => parseEndpoint(text)!);
const presharedKey = new Uint8Array(32).fill(7);

function newKeys() {
  const privateKey = primitives.randomBytes(32);
  privateKey[0] &= 0xf8;
  privateKey[31] = (privateKey[31] & 0x7f) | 0x40;
  return { privateKey, publicKey: primitives.publicKey(privateKey) };
}

function drain(device: Device): DeviceOutput[] {
  const outputs: DeviceOutput[] = [];
  for (let output = device.poll(); output !== undefined; output = device.poll()) outputs.push(output);
  return outputs;
}

/** What an initiator and its responder put out when a packet is to be sent. */
function handshake(revealSecrets: boolean) {
  const [left, right] = [newKeys(), newKeys()];
  const options = { primitives, unixTime: () => NOW, revealSecrets };
  const [initiator, responder] = [new Device(options), new Device(options)];
  const peer = { presharedKey, allowedIps: [{ prefix: { address: RIGHT.address, length: 0 } }] };
  initiator.configure(
    { privateKey: left.privateKey, peers: [{ ...peer, publicKey: right.publicKey, endpoint: RIGHT }] },
    NOW,
  );
  responder.configure({ privateKey: right.privateKey, peers: [{ ...peer, publicKey: left.publicKey }] }, NOW);
  initiator.handlePacket(packetOf(1, 2, 'hello'), NOW);
  const sent = drain(initiator);
  const initiation = sent.find((output) => output.kind === 'send')!;
  responder.handleDatagram(initiation.datagram, LEFT, NOW);
  return { left, right, sent, answered: drain(responder) };
}

describe('a device', () => {
  it('keeps the secrets of its handshakes to itself unless asked', () => {
    const { sent, answered } = handshake(false);
    assert.deepEqual(
      [...sent, ...answered].map(({ kind }) => kind),
      ['send', 'send'],
    );
  });

  it('reveals them in front of the message they belong to, so that a live capture can be read', () => {
    const { left, right, sent, answered } = handshake(true);
    for (const [outputs, local, remote] of [
      [sent, left, right],
      [answered, right, left],
    ] as const) {
      const [revealed, message] = outputs;
      assert.ok(revealed.kind === 'handshake-secrets' && message.kind === 'send');
      const { secrets } = revealed;
      assert.deepEqual(secrets.localStaticPrivateKey, local.privateKey);
      assert.deepEqual(secrets.remoteStaticPublicKey, remote.publicKey);
      assert.deepEqual(secrets.presharedKey, presharedKey);
      // Both messages carry the ephemeral public key in the clear (whitepaper §5.4.2, §5.4.3).
      const at = message.datagram[0] === 1 ? 8 : 12;
      const ephemeral = primitives.publicKey(secrets.localEphemeralPrivateKey);
      assert.deepEqual(ephemeral, message.datagram.slice(at, at + 32));
    }
  });
});
