import assert from 'node:assert/strict';
import { Pair } from '../../src/wireguard/pair-for-testing.ts';
import { sealTransportData, TAG, TRANSPORT_HEADER } from '../../src/wireguard/index.ts';
import { packetOf } from '../packets.ts';
import { onlyDrop } from './device-target.ts';
import { seededPrimitives } from './seeded-primitives.ts';
import type { Target } from './target.ts';

const RIGHT_V4 = [10, 0, 0, 2];
const RIGHT_V6 = [0xfd, ...Array<number>(14).fill(0), 2];

/** A peer, so somebody who is authenticated, sends a plaintext of any form: it delivers what is its own to send. */
export function innerPacketTarget(): Target {
  const pair = new Pair(seededPrimitives());
  pair.configure();
  pair.send(pair.left, 'hello');
  pair.run(1000);
  const { device } = pair.left;
  return {
    name: 'inner-packet',
    share: 12,
    seeds: [...fromRight(4), ...fromRight(6)],
    outcomes: ['delivered', 'malformed-inner-packet', 'source-not-allowed', 'keepalive'],
    run(plaintext) {
      const keypair = pair.peerOf(pair.right).sendingKeypair(pair.now)!;
      const datagram = new Uint8Array(TRANSPORT_HEADER + plaintext.length + TAG);
      datagram.set(plaintext, TRANSPORT_HEADER);
      assert.equal(sealTransportData(keypair, datagram, 0, plaintext.length, plaintext.length), datagram.length);
      const before = { ...device.drops };
      device.handleDatagram(datagram, pair.right.endpoint, pair.now);
      const expected = rightful(plaintext);
      const output = device.poll();
      if (plaintext.length === 0 || expected !== undefined) assert.deepEqual(device.drops, before);
      if (expected === undefined) {
        assert.equal(output, undefined, 'delivered what is not the peer’s to send');
        return plaintext.length === 0 ? 'keepalive' : onlyDrop(before, device.drops);
      }
      assert.ok(output?.kind === 'deliver', 'not delivered');
      assert.equal(Buffer.compare(output.packet, expected), 0, 'delivered other bytes');
      assert.equal(device.poll(), undefined);
      return 'delivered';
    },
  };
}

/** What of `plaintext` is to be delivered, said once more and plainly. */
function rightful(plaintext: Uint8Array): Uint8Array | undefined {
  const view = new DataView(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const version = plaintext.length === 0 ? 0 : plaintext[0] >> 4;
  const [header, source, sourceAt] = version === 4 ? [20, RIGHT_V4, 12] : [40, RIGHT_V6, 8];
  if ((version !== 4 && version !== 6) || plaintext.length < header) return undefined;
  const length = version === 4 ? view.getUint16(2) : 40 + view.getUint16(4);
  if (length < header || length > plaintext.length) return undefined;
  if (source.some((byte, i) => plaintext[sourceAt + i] !== byte)) return undefined;
  return plaintext.subarray(0, length);
}

function fromRight(family: 4 | 6): Uint8Array[] {
  return [0, 5, 40].map((length) => {
    const packet = packetOf({ family, payload: new Uint8Array(length) });
    packet.set(family === 4 ? RIGHT_V4 : RIGHT_V6, family === 4 ? 12 : 8);
    return packet;
  });
}
