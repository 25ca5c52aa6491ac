import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../inet/index.ts';
import { GSO_UDP_L4, NEEDS_CHECKSUM, VIRTIO_HEADER_BYTES, writeVirtioHeader } from '../packet/index.ts';
import { TestNetwork, type TestNode } from './relay-network-for-testing.ts';

const NO_NEXT_HEADER = 59;
const UDP = 17;
const FRAGMENT = 44;
/** In front of and behind a packet in a datagram. */
const SEAL = 32;

function ipv6(from: TestNode, to: TestNode, length: number, protocol = NO_NEXT_HEADER): Uint8Array {
  const packet = Uint8Array.from({ length }, (_, i) => i & 255);
  packet.set([0x60, 0, 0, 0, (length - 40) >> 8, (length - 40) & 255, protocol, 64]);
  packet.set(from.address.bytes, 8);
  packet.set(to.address.bytes, 24);
  return packet;
}

function ipv4(length: number, mayBeFragmented: boolean): Uint8Array {
  const packet = Uint8Array.from({ length }, (_, i) => i & 255);
  packet.set([0x45, 0, length >> 8, length & 255, 0, 1, mayBeFragmented ? 0 : 0x40, 0, 64, UDP]);
  packet.set([10, 0, 0, 1, 10, 0, 0, 2], 12);
  return packet;
}

/** Two nodes with a session, and the first one's limit for the second. */
function pair(limit?: { mtu: number; isProved: boolean }): [TestNode, TestNode] {
  const { nodes } = TestNetwork.line(2);
  nodes[0].setPeer(nodes[1], { allowedIps: [{ prefix: parsePrefix('10.0.0.2/32')! }] });
  nodes[1].setPeer(nodes[0], { allowedIps: [{ prefix: parsePrefix('10.0.0.1/32')! }] });
  nodes[0].sendPacket(ipv6(nodes[0], nodes[1], 60));
  for (const node of nodes) node.forget();
  if (limit !== undefined) nodes[0].path.limits.set([{ publicKey: nodes[1].publicKey, ...limit }]);
  return [nodes[0], nodes[1]];
}

/** The MTU of a Packet Too Big, of either family. */
function told({ delivered }: TestNode): number[] {
  return delivered.map((answer) => {
    const at = answer[0] >> 4 === 4 ? 26 : 46;
    return (answer[at] << 8) | answer[at + 1];
  });
}

/** What the fragments of one packet of IPv6 hold together. */
function putTogether(fragments: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(fragments.flatMap((fragment) => [...fragment.subarray(48)]));
}

describe('a packet longer than the limit', () => {
  it('is cut while the limit is not proved, and the host hears nothing', () => {
    const [a, b] = pair({ mtu: 1280, isProved: false });
    const packet = ipv6(a, b, 1420);
    a.sendPacket(packet);
    assert.deepEqual(a.delivered, []);
    assert.ok(b.delivered.every((fragment) => fragment.length <= 1280 && fragment[6] === FRAGMENT));
    assert.deepEqual(putTogether(b.delivered), packet.subarray(40));
    assert.ok(Math.max(...a.sentLengths) <= 1280 + SEAL);
  });

  it('is refused once the limit is proved, and the host hears which length is right', () => {
    const [a, b] = pair({ mtu: 1328, isProved: true });
    a.sendPacket(ipv6(a, b, 1420));
    a.sendPacket(ipv4(1420, false));
    assert.deepEqual(b.delivered, []);
    assert.deepEqual(told(a), [1328, 1328]);
    assert.equal(a.counters.packetTooBig, 2);
    a.sendPacket(ipv6(a, b, 1328));
    assert.equal(b.delivered.length, 1);
  });

  it('is cut where its host leaves that to others (IPv4)', () => {
    const [a, b] = pair({ mtu: 1328, isProved: true });
    a.sendPacket(ipv4(1420, true));
    assert.deepEqual(told(a), []);
    assert.deepEqual(
      b.delivered.map(({ length }) => length),
      [1324, 116],
    );
  });

  it('is cut where IPv6 knows no smaller MTU, and the host hears of the least there is', () => {
    const [a, b] = pair({ mtu: 912, isProved: true });
    a.sendPacket(ipv6(a, b, 1420));
    assert.deepEqual(told(a), [1280]);
    const packet = ipv6(a, b, 1280);
    a.sendPacket(packet);
    assert.deepEqual(putTogether(b.delivered), packet.subarray(40));
    assert.ok(Math.max(...a.sentLengths) <= 912 + SEAL);
    a.forget();
    a.sendPacket(ipv4(1000, false));
    assert.deepEqual(told(a), [912]);
  });

  it('is cut before there is a session, too', () => {
    const { nodes } = TestNetwork.line(2);
    const [a, b] = nodes;
    a.path.limits.set([{ publicKey: b.publicKey, mtu: 1280, isProved: false }]);
    const packet = ipv6(a, b, 1420);
    a.sendPacket(packet);
    assert.deepEqual(putTogether(b.delivered), packet.subarray(40));
  });

  it('is cut on a way over relays as on others, so that no hop sees a longer datagram', () => {
    const { nodes } = TestNetwork.line(3);
    const [a, , c] = nodes;
    a.sendPacket(ipv6(a, c, 60));
    for (const node of nodes) node.forget();
    a.path.limits.set([{ publicKey: c.publicKey, mtu: 1248, isProved: true }]);
    const packet = ipv6(a, c, 1280);
    a.sendPacket(packet);
    assert.deepEqual(putTogether(c.delivered), packet.subarray(40));
    assert.ok(Math.max(...nodes.flatMap(({ sentLengths }) => sentLengths)) <= 1328 + SEAL);
  });

  it('is many that the host has left to be cut: each of them is', () => {
    const [a, b] = pair({ mtu: 1280, isProved: false });
    const length = 40 + 8 + 3 * 1372 + 100;
    const bytes = new Uint8Array(VIRTIO_HEADER_BYTES + length);
    bytes.set(ipv6(a, b, length, UDP), VIRTIO_HEADER_BYTES);
    const header = { headerLength: 48, gsoSize: 1372, checksumStart: 40, checksumOffset: 6 };
    writeVirtioHeader(bytes, 0, { ...header, flags: NEEDS_CHECKSUM, gsoType: GSO_UDP_L4 });
    a.sendLarge(bytes);
    const fragments = b.delivered.filter((packet) => packet[6] === FRAGMENT);
    assert.equal(fragments.length, 6);
    assert.equal(b.delivered.length, 7);
    assert.ok(b.delivered.every((packet) => packet.length <= 1280));
  });
});

describe('a packet of a peer without a limit', () => {
  it('may be as long as the interface takes', () => {
    const [a, b] = pair();
    a.sendPacket(ipv6(a, b, 1420));
    assert.equal(b.delivered.length, 1);
    assert.equal(b.delivered[0].length, 1420);
  });
});
