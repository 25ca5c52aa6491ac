import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import { foldSum, pseudoHeaderSum, sumWords } from './checksum.ts';
import { LONGEST_ICMP_ERROR, writePacketTooBig, writeUnreachable } from './icmp.ts';

const target = new Uint8Array(LONGEST_ICMP_ERROR);

function ipv4(protocol: number, payload: readonly number[] = [], patch: Record<number, number> = {}): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  packet.set([0x45, 0, 0, packet.length, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
  packet.set(payload, 20);
  for (const [at, value] of Object.entries(patch)) packet[Number(at)] = value;
  return packet;
}

function ipv6(nextHeader: number, payload: readonly number[] = [], patch: Record<number, number> = {}): Uint8Array {
  const packet = new Uint8Array(40 + payload.length);
  packet.set([0x60, 0, 0, 0, 0, payload.length, nextHeader, 64]);
  packet[8] = packet[24] = 0xfd;
  packet[23] = 1;
  packet[39] = 2;
  packet.set(payload, 40);
  for (const [at, value] of Object.entries(patch)) packet[Number(at)] = value;
  return packet;
}

describe('the answer to a packet that cannot be sent', () => {
  it('is "host unreachable" to its source, quotes it, and has right checksums, over IPv4', () => {
    const packet = ipv4(17, [1, 2, 3, 4, 5, 6, 7, 8]);
    const length = writeUnreachable(packet, 0, packet.length, target);
    const view = new DataView(target.buffer);
    assert.equal(length, 28 + packet.length);
    assert.deepEqual([...target.subarray(12, 22)], [10, 0, 0, 2, 10, 0, 0, 1, 3, 1]);
    assert.deepEqual(target.subarray(28, length), packet);
    assert.equal(foldSum(sumWords(view, 0, 20)), 0xffff);
    assert.equal(foldSum(sumWords(view, 20, length - 20)), 0xffff);
  });

  it('is "address unreachable" over IPv6', () => {
    const packet = ipv6(17, [1, 2, 3, 4, 5, 6, 7, 8]);
    const length = writeUnreachable(packet, 0, packet.length, target);
    const view = new DataView(target.buffer);
    assert.deepEqual([target[40], target[41], target[39], target[23]], [1, 3, 1, 2]);
    assert.deepEqual(target.subarray(48, length), packet);
    assert.equal(foldSum(pseudoHeaderSum(view, 0, 58, length - 40) + sumWords(view, 40, length - 40)), 0xffff);
  });

  it('is "fragmentation needed" over IPv4 and "packet too big" over IPv6 where it is too long, and tells the MTU', () => {
    const view = new DataView(target.buffer);
    let length = writePacketTooBig(ipv4(17, [1, 2, 3, 4, 5, 6, 7, 8]), 1328, target);
    assert.deepEqual([...target.subarray(20, 22), view.getUint16(24), view.getUint16(26)], [3, 4, 0, 1328]);
    assert.equal(foldSum(sumWords(view, 20, length - 20)), 0xffff);
    length = writePacketTooBig(ipv6(17, [1, 2, 3, 4, 5, 6, 7, 8]), 1328, target);
    assert.deepEqual([target[40], target[41], view.getUint32(44)], [2, 0, 1328]);
    assert.equal(foldSum(pseudoHeaderSum(view, 0, 58, length - 40) + sumWords(view, 40, length - 40)), 0xffff);
  });

  it('is no longer than every host must take, however long the packet', () => {
    const four = new Uint8Array(9000).fill(1);
    four.set(ipv4(17));
    assert.equal(writeUnreachable(four, 0, four.length, target), 576);
    const six = new Uint8Array(9000).fill(1);
    six.set(ipv6(17));
    assert.equal(writeUnreachable(six, 0, six.length, target), 1280);
  });

  for (const [what, packet] of [
    ['an ICMP error', ipv4(1, [3, 1, 0, 0])],
    ['ICMP without a type', ipv4(1)],
    ['a later fragment', ipv4(17, [], { 7: 8 })],
    ['a multicast packet', ipv4(17, [], { 16: 0xe0 })],
    ['an ICMPv6 error', ipv6(58, [1, 3, 0, 0])],
    ['an IPv6 multicast packet', ipv6(17, [], { 24: 0xff })],
    ['what is no IP packet', new Uint8Array(60)],
  ] as const) {
    it(`is none to ${what}`, () => {
      assert.equal(writeUnreachable(packet, 0, packet.length, target), 0);
    });
  }

  it('is given to pings', () => {
    assert.notEqual(writeUnreachable(ipv4(1, [8, 0, 0, 0]), 0, 24, target), 0);
    assert.notEqual(writeUnreachable(ipv6(58, [128, 0, 0, 0]), 0, 44, target), 0);
  });

  it('never throws, and never grows beyond its bound', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1600 }), (packet) => {
        assert.ok(writeUnreachable(packet, 0, packet.length, target) <= LONGEST_ICMP_ERROR);
      }),
    );
  });
});
