import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Frame, Place } from '../recording/pcapng.ts';
import { findLoops } from './loops.ts';
import { readPacket } from './packet.ts';

const LINK: Place = { node: 'n1', interface: 'to-n2', linkType: 'ethernet' };
const TUNNEL: Place = { node: 'n1', interface: 'wg-n2', linkType: 'ip' };

function ipv6(hopLimit: number, nextHeader: number, payload: number[]): number[] {
  return [0x60, 0, 0, 0, 0, payload.length, nextHeader, hopLimit, ...new Array<number>(32).fill(7), ...payload];
}

function ipv4(ttl: number, checksum: number, payload: number[]): number[] {
  return [0x45, 0, 0, 28, 0, 9, 0, 0, ttl, 1, checksum >> 8, checksum & 255, 10, 0, 0, 1, 10, 0, 0, 2, ...payload];
}

function ethernet(packet: number[]): number[] {
  return [...new Array<number>(12).fill(2), ...(packet[0] >> 4 === 6 ? [0x86, 0xdd] : [0x08, 0x00]), ...packet];
}

function transport(counter: number): number[] {
  const udp = [0xca, 0x6c, 0xca, 0x6c, 0, 40, 0, 0];
  return [...udp, 4, 0, 0, 0, 1, 2, 3, 4, counter, ...new Array<number>(27).fill(9)];
}

function loopsIn(place: Place, ...packets: number[][]): number {
  const frames = packets.map((packet, i): Frame => ({ place: 0, at: BigInt(i), length: packet.length, bytes: Uint8Array.from(packet) })); // prettier-ignore
  return findLoops([place], frames).loops.length;
}

describe('a packet on a link', () => {
  it('has been there before if it is the same with a lower hop limit', () => {
    assert.equal(loopsIn(LINK, ethernet(ipv6(64, 58, [1, 2])), ethernet(ipv6(62, 58, [1, 2]))), 1);
    assert.equal(loopsIn(TUNNEL, ipv6(64, 58, [1, 2]), ipv6(62, 58, [1, 2])), 1);
    assert.equal(loopsIn(TUNNEL, ipv4(64, 0x1234, [1, 2]), ipv4(62, 0x1434, [1, 2])), 1);
  });

  it('is another one if it differs, or was sent again by its sender', () => {
    assert.equal(loopsIn(LINK, ethernet(ipv6(64, 58, [1, 2])), ethernet(ipv6(64, 58, [1, 3]))), 0);
    assert.equal(loopsIn(LINK, ethernet(ipv6(64, 6, [1, 2])), ethernet(ipv6(64, 6, [1, 2]))), 0);
  });

  it('has been there before if it is the same ciphertext, whatever is around that', () => {
    const [first, second] = [ipv6(64, 17, transport(1)), ipv6(64, 17, transport(2))].map(ethernet);
    assert.equal(loopsIn(LINK, first, second), 0);
    assert.equal(loopsIn(LINK, first, second, first), 1);
    assert.equal(loopsIn(LINK, first, ethernet(ipv6(40, 17, transport(1)))), 1);
  });

  it('may be on another link as well', () => {
    const bytes = Uint8Array.from(ethernet(ipv6(64, 17, transport(1))));
    const frames: Frame[] = [0, 1].map((place) => ({ place, at: 0n, length: bytes.length, bytes }));
    assert.deepEqual(findLoops([LINK, { ...LINK, node: 'n2' }], frames), { loops: [], packets: 2 });
  });

  it('is never a reason to fail', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom('ethernet', 'ip'), (bytes, type) => void readPacket(bytes, type)),
    );
  });
});
