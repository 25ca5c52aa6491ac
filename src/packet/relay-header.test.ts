import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { foldSum, sumWords } from './checksum.ts';
import { isRelayPacket, meshPortOf, RELAY_HEADER_BYTES, RELAY_PORT, RelayHeader } from './relay-header.ts';
import { faultOf } from '../../test/packets.ts';

const SOURCE = Uint8Array.of(0xfd, 0x77, ...new Array<number>(13).fill(1), 0xa);
const DESTINATION = Uint8Array.of(0xfd, 0x77, ...new Array<number>(13).fill(2), 0xb);

/** A relay packet with `message` in it, at `offset`. */
function relayPacket(message: Uint8Array, offset = 0, ecn = 0): Uint8Array {
  const header = new RelayHeader(SOURCE);
  header.begin(DESTINATION, ecn);
  const packet = new Uint8Array(offset + RELAY_HEADER_BYTES + message.length);
  packet.set(message, offset + RELAY_HEADER_BYTES);
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  header.write(packet, offset, message.length, foldSum(sumWords(view, 0, message.length)));
  return packet;
}

function keepalive(): Uint8Array {
  const message = new Uint8Array(32).fill(7);
  message.set([4, 0, 0, 0]);
  return message;
}

describe('a relay packet', () => {
  it('is IPv6 and UDP with a right checksum, whatever the message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), (message, ecn) => {
        const packet = relayPacket(message, 0, ecn);
        assert.equal(faultOf(packet), undefined);
        assert.equal((packet[1] >> 4) & 3, ecn);
        assert.equal(meshPortOf(packet, 0, packet.length), RELAY_PORT);
      }),
    );
  });

  it('is known at any offset', () => {
    const packet = relayPacket(keepalive(), 5);
    assert.equal(meshPortOf(packet, 5, packet.length - 5), RELAY_PORT);
    assert.ok(isRelayPacket(packet, 5, packet.length - 5));
  });

  it('is none with anything in it that is no message of WireGuard, lengths that lie, or another source or port', () => {
    const good = relayPacket(keepalive());
    assert.ok(isRelayPacket(good, 0, good.length));
    for (const [what, at, value] of [
      ['a source outside the mesh', 8, 0xfe],
      ['the length of IPv6', 5, good[5] + 1],
      ['the length of UDP', 45, good[45] - 1],
      ['another source port', 41, good[41] + 1],
      ['type 0', 48, 0],
      ['type 5', 48, 5],
      ['a reserved byte', 50, 1],
    ] as const) {
      const bad = good.slice();
      bad[at] = value;
      assert.ok(!isRelayPacket(bad, 0, bad.length), what);
    }
    assert.ok(!isRelayPacket(good, 0, good.length - 1), 'a byte is missing');
    for (const length of [0, 1, 31]) {
      const short = relayPacket(keepalive().subarray(0, length));
      assert.ok(!isRelayPacket(short, 0, short.length), `a message of ${length} bytes`);
    }
  });
});

describe('the port in the mesh that a packet goes to', () => {
  it('is 0 for what is not UDP over IPv6 to an address of the mesh, and where the packet ends before it', () => {
    const packet = relayPacket(keepalive());
    for (const [at, value] of [
      [0, 0x45],
      [6, 6],
      [6, 44],
      [24, 0xfe],
      [25, 0x78],
    ]) {
      const other = packet.slice();
      other[at] = value;
      assert.equal(meshPortOf(other, 0, other.length), 0);
    }
    assert.equal(meshPortOf(packet, 0, 43), 0);
    assert.equal(meshPortOf(packet, 0, 44), RELAY_PORT);
  });
});
