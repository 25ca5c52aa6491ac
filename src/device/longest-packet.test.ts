import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GSO_UDP_L4, NEEDS_CHECKSUM, VIRTIO_HEADER_BYTES, writeVirtioHeader } from '../packet/index.ts';
import { LONGEST_PACKET } from './packet-too-big.ts';
import { TestNetwork, type TestNode } from './relay-network-for-testing.ts';

const MTUS = [1280, 1420, 1500, 9000, 65_456, 65_472, 65_503, 65_504, 65_505, 65_520, 65_535];
const LENGTHS = [
  40, 41, 1279, 1280, 1500, 9000, 65_455, 65_456, 65_471, 65_472, 65_473, 65_503, 65_504, 65_520, 65_535,
];
const LONGEST_DATAGRAM = 65_507;
const NO_NEXT_HEADER = 59;
const UDP = 17;

/** An IPv6 packet, or all that is inside one where it is longer than its header can say. */
function packetBetween(from: TestNode, to: TestNode, length: number, protocol = NO_NEXT_HEADER): Uint8Array {
  const packet = new Uint8Array(length).fill(7);
  const payload = length - 40;
  packet.set([0x60, 0, 0, 0, (payload >> 8) & 255, payload & 255, protocol, 64]);
  packet.set(from.address.bytes, 8);
  packet.set(to.address.bytes, 24);
  return packet;
}

/** As the kernel hands it to a device that can cut datagrams: `length` bytes of IPv6 and UDP, in parts of 1200. */
function largePacket(from: TestNode, to: TestNode, length: number): Uint8Array {
  const bytes = new Uint8Array(VIRTIO_HEADER_BYTES + length);
  bytes.set(packetBetween(from, to, length, UDP), VIRTIO_HEADER_BYTES);
  const header = { headerLength: 48, gsoSize: 1200, checksumStart: 40, checksumOffset: 6 };
  writeVirtioHeader(bytes, 0, { ...header, flags: NEEDS_CHECKSUM, gsoType: GSO_UDP_L4 });
  return bytes;
}

/** Two nodes that have a session, or are still without. */
function pair(mtu: number, hasSession: boolean): [TestNode, TestNode] {
  const { nodes } = TestNetwork.line(2);
  for (const { device } of nodes) device.mtu = mtu;
  if (hasSession) nodes[0].sendPacket(packetBetween(nodes[0], nodes[1], 60));
  for (const node of nodes) node.forget();
  return [nodes[0], nodes[1]];
}

describe('packets at the edge of what a datagram holds', () => {
  for (const hasSession of [true, false]) {
    it(`arrive or are answered, at every MTU, ${hasSession ? 'in' : 'before there is'} a session`, () => {
      for (const mtu of MTUS) {
        for (const length of LENGTHS.filter((each) => each <= mtu)) {
          const [a, b] = pair(mtu, hasSession);
          a.sendPacket(packetBetween(a, b, length));
          const what = `${length} bytes at MTU ${mtu}`;
          assert.ok(Math.max(...a.sentLengths, 0) <= LONGEST_DATAGRAM, what);
          const fits = length <= LONGEST_PACKET;
          assert.deepEqual(b.delivered.map((packet) => packet.length), fits ? [length] : [], what); // prettier-ignore
          assert.equal(a.counters.packetTooBig, fits ? 0 : 1, what);
          // The host hears which length would do.
          const told = a.delivered.map((answer) => new DataView(answer.buffer).getUint32(44));
          assert.deepEqual(told, fits ? [] : [LONGEST_PACKET], what);
        }
      }
    });
  }

  it('are cut without a loss where the large packet is longer than 65,535 bytes with its header', () => {
    for (const length of [65_534, 65_535, 65_536, 65_575]) {
      const [a, b] = pair(1420, true);
      a.sendLarge(largePacket(a, b, length));
      const payload = b.delivered.reduce((sum, packet) => sum + packet.length - 48, 0);
      assert.equal(payload, length - 48);
    }
  });

  it('are dropped where the kernel had more than there can be', () => {
    const [a, b] = pair(1420, true);
    a.sendLarge(largePacket(a, b, 65_576));
    assert.equal(b.delivered.length, 0);
    assert.equal(a.counters.malformedOutbound, 1);
  });
});
