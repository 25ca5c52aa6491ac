import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checksumOf, sumWords } from './checksum.ts';
import { Fragmenter } from './fragment.ts';

const UDP = 17;
const FRAGMENT = 44;

function ipv4(length: number, flagsAndOffset: number, identification = 7): Uint8Array {
  const packet = Uint8Array.from({ length }, (_, i) => i & 255);
  packet.set([
    0x45,
    0,
    length >> 8,
    length & 255,
    0,
    identification,
    flagsAndOffset >> 8,
    flagsAndOffset & 255,
    64,
    UDP,
  ]);
  packet.set([0, 0, 192, 0, 2, 1, 192, 0, 2, 2], 10);
  return packet;
}

function ipv6(length: number, nextHeader = UDP): Uint8Array {
  const packet = Uint8Array.from({ length }, (_, i) => i & 255);
  packet.set([0x60, 0, 0, 0, (length - 40) >> 8, (length - 40) & 255, nextHeader, 64]);
  return packet;
}

function cut(packet: Uint8Array, mtu: number, fragmenter = new Fragmenter(99)): Uint8Array[] {
  const count = fragmenter.begin(packet, packet.length, mtu);
  return Array.from({ length: count }, (_, index) => {
    const target = new Uint8Array(2000);
    const length = fragmenter.write(index, target, 16);
    return target.slice(16, 16 + length);
  });
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset);
const identificationV4 = (packet: Uint8Array) => view(packet).getUint16(4);
const joined = (fragments: Uint8Array[], headers: number) =>
  Uint8Array.from(fragments.flatMap((fragment) => [...fragment.subarray(headers)]));

describe('fragments of IPv4', () => {
  it('together hold what the packet held, each no longer than asked for, with a header of its own', () => {
    const packet = ipv4(1420, 0);
    const fragments = cut(packet, 600);
    assert.deepEqual(joined(fragments, 20), packet.subarray(20));
    assert.deepEqual(
      fragments.map((fragment) => [
        view(fragment).getUint16(2),
        view(fragment).getUint16(6),
        identificationV4(fragment),
      ]),
      [
        [596, 0x2000, 7],
        [596, 0x2000 | 72, 7],
        [268, 144, 7],
      ],
    );
    for (const fragment of fragments) assert.equal(checksumOf(sumWords(view(fragment), 0, 20)), 0);
  });

  it('of a fragment are fragments of the same packet', () => {
    const fragments = cut(ipv4(1020, 0x2000 | 100), 620);
    assert.deepEqual(
      fragments.map((fragment) => view(fragment).getUint16(6)),
      [0x2000 | 100, 0x2000 | 175],
    );
  });

  it('have an identification of their own where the packet was not to be cut, for it need not have one', () => {
    const fragmenter = new Fragmenter(99);
    assert.deepEqual(cut(ipv4(1420, 0x4000, 0), 1280, fragmenter).map(identificationV4), [100, 100]);
    assert.deepEqual(cut(ipv4(1420, 0x4000, 0), 1280, fragmenter).map(identificationV4), [101, 101]);
    assert.ok(cut(ipv4(1420, 0x4000), 1280).every((fragment) => (fragment[6] & 0x40) === 0));
  });

  it('are not made of packets with options', () => {
    const packet = ipv4(1420, 0);
    packet[0] = 0x46;
    assert.deepEqual(cut(packet, 1280), []);
  });
});

describe('fragments of IPv6', () => {
  it('together hold what the packet held, each no longer than asked for, behind a fragment header', () => {
    const packet = ipv6(1280);
    const fragments = cut(packet, 928);
    assert.deepEqual(joined(fragments, 48), packet.subarray(40));
    assert.deepEqual(
      fragments.map((fragment) => [fragment.length, view(fragment).getUint16(4), fragment[6], fragment[40]]),
      [
        [928, 888, FRAGMENT, UDP],
        [408, 368, FRAGMENT, UDP],
      ],
    );
    assert.deepEqual(
      fragments.map((fragment) => [view(fragment).getUint16(42), view(fragment).getUint32(44)]),
      [
        [1, 100],
        [880, 100],
      ],
    );
  });

  it('of a fragment are fragments of the same packet', () => {
    const packet = ipv6(1280, FRAGMENT);
    packet.set([UDP, 0, 0x10, 1, 1, 2, 3, 4], 40);
    const fragments = cut(packet, 928);
    assert.deepEqual(joined(fragments, 48), packet.subarray(48));
    assert.deepEqual(
      fragments.map((fragment) => [view(fragment).getUint16(42), view(fragment).getUint32(44), fragment[40]]),
      [
        [0x1001, 0x01020304, UDP],
        [0x1001 + 880, 0x01020304, UDP],
      ],
    );
  });

  it('come behind the options for all that are on the way', () => {
    const packet = ipv6(1280, 0);
    packet.set([UDP, 0, 1, 4, 0, 0, 0, 0], 40);
    const fragments = cut(packet, 928);
    assert.deepEqual(joined(fragments, 56), packet.subarray(48));
    assert.ok(fragments.every((fragment) => fragment[6] === 0 && fragment[40] === FRAGMENT && fragment[48] === UDP));
  });
});

it('what is no longer than asked for stays as it is', () => {
  assert.deepEqual(cut(ipv6(1280), 1280), [ipv6(1280)]);
  assert.deepEqual(cut(ipv4(1280, 0x4000), 1280), [ipv4(1280, 0x4000)]);
});

describe('what cannot be cut', () => {
  it('is what is no packet, and what has no room for a header', () => {
    for (const packet of [new Uint8Array(1300), ipv6(1300, 0).fill(255, 40)]) assert.deepEqual(cut(packet, 1280), []);
    assert.deepEqual(cut(ipv6(1280), 50), []);
    assert.deepEqual(cut(ipv4(1280, 0), 24), []);
  });
});
