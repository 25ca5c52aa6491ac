import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import type { Counter } from '../crypto/primitives.ts';
import { millis, seconds } from '../machine/index.ts';
import { KeypairOf } from './keypair.ts';
import { packetOf } from './pair-for-testing.ts';
import { innerPacketLength, openTransportData, paddedLength, sealTransportData } from './transport.ts';

const primitives = nodePrimitives(chooseAead().aead);
const [at, expiresAt] = [millis(0), seconds(180)];

/** A keypair that opens what it seals. */
function loopback(sendCounter: Counter = { high: 0, low: 0 }): KeypairOf<string> {
  const keys = { sendKey: new Uint8Array(32).fill(1), receiveKey: new Uint8Array(32).fill(1) };
  const session = { role: 'initiator', localIndex: 0xfedc_ba98, remoteIndex: 0xfedc_ba98 } as const;
  const keypair = new KeypairOf(primitives, keys, { ...session, peer: 'peer', createdAt: at, expiresAt });
  Object.assign(keypair.sendCounter, sendCounter);
  return keypair;
}

function sealed(keypair: KeypairOf<string>, packet: Uint8Array, mtu = 1420): Uint8Array {
  const buffer = new Uint8Array(3 + 16 + packet.length + 15 + 16).fill(0xee);
  buffer.set(packet, 3 + 16);
  const length = sealTransportData(keypair, buffer, 3, packet.length, mtu);
  return length < 0 ? new Uint8Array(0) : buffer.slice(3, 3 + length);
}

const plaintext = new Uint8Array(100);

const open = (keypair: KeypairOf<string>, datagram: Uint8Array, now = at) =>
  openTransportData(keypair, datagram, 0, datagram.length, { bytes: plaintext, offset: 0 }, now);

describe('transport data (whitepaper §5.4.6)', () => {
  it('has type, receiver and counter before the sealed packet, little-endian', () => {
    const datagram = sealed(loopback({ high: 0x0102_0304, low: 0xa5a6_a7a8 }), packetOf(1, 2, 'hi'));
    const header = '0400000098badcfea8a7a6a504030201';
    assert.equal(Buffer.from(datagram.subarray(0, 16)).toString('hex'), header);
    assert.equal(datagram.length, 16 + 32 + 16);
  });

  it('opens to the packet and zeros', () => {
    const keypair = loopback();
    const datagram = sealed(keypair, packetOf(1, 2, 'hi'));
    assert.equal(open(keypair, datagram), 32);
    assert.deepEqual(plaintext.slice(0, 32), Uint8Array.of(...packetOf(1, 2, 'hi'), ...new Uint8Array(10)));
    assert.equal(innerPacketLength(plaintext, 0, 32), 22);
  });

  it('opens once, and not if a bit differs, and a forged one does not use up the counter', () => {
    const keypair = loopback();
    const datagram = sealed(keypair, packetOf(1, 2, 'hi'));
    for (const i of [8, 20, datagram.length - 1]) {
      assert.equal(open(keypair, datagram.with(i, datagram[i] ^ 1)), -1, `byte ${i}`);
    }
    assert.equal(open(keypair, datagram.slice()), 32);
    assert.equal(open(keypair, datagram.slice()), -1);
  });

  it('counts on beyond 2^53 without rounding', () => {
    const keypair = loopback({ high: 0x1f_ffff, low: 0xffff_fffe });
    for (const expected of [
      { high: 0x1f_ffff, low: 0xffff_ffff },
      { high: 0x20_0000, low: 0 },
      { high: 0x20_0000, low: 1 },
    ]) {
      assert.equal(open(keypair, sealed(keypair, packetOf(1, 2, ''))), 32);
      assert.deepEqual({ ...keypair.sendCounter }, expected);
    }
  });

  it('is neither sealed nor opened with a counter of REJECT_AFTER_MESSAGES', () => {
    const keypair = loopback({ high: 0xffff_ffff, low: 0xffff_dffe });
    assert.equal(open(keypair, sealed(keypair, new Uint8Array(0))), 0);
    assert.equal(sealed(keypair, new Uint8Array(0)).length, 0);
    // As a peer with another idea of the limit would seal it.
    const counter = { high: 0xffff_ffff, low: 0xffff_dfff };
    const tag = primitives.seal(new Uint8Array(32).fill(1), counter, new Uint8Array(0), new Uint8Array(0));
    const beyond = Uint8Array.of(
      4,
      0,
      0,
      0,
      0x98,
      0xba,
      0xdc,
      0xfe,
      0xff,
      0xdf,
      0xff,
      0xff,
      255,
      255,
      255,
      255,
      ...tag,
    );
    assert.equal(open(keypair, beyond), -1);
  });

  it('is not opened once the keypair is REJECT_AFTER_TIME old, or destroyed', () => {
    const keypair = loopback();
    const datagram = sealed(keypair, new Uint8Array(0));
    assert.equal(open(keypair, datagram.slice(), expiresAt), -1);
    keypair.destroy();
    assert.equal(open(keypair, datagram.slice()), -1);
    assert.equal(sealed(keypair, new Uint8Array(0)).length, 0);
  });
});

describe('padding', () => {
  for (const [length, mtu, expected] of [
    [0, 1420, 0],
    [1, 1420, 16],
    [16, 1420, 16],
    [1409, 1420, 1420],
    [1420, 1420, 1420],
    [1500, 1420, 1500],
  ]) {
    it(`makes ${expected} of ${length} bytes at an MTU of ${mtu}`, () => {
      assert.equal(paddedLength(length, mtu), expected);
    });
  }
});

describe('the length of an inner packet', () => {
  const ipv4 = (total: number) => Uint8Array.of(0x45, 0, total >>> 8, total, ...new Uint8Array(36));
  const ipv6 = (payload: number) => Uint8Array.of(0x60, 0, 0, 0, payload >>> 8, payload, ...new Uint8Array(50));
  for (const [name, plaintext, expected] of [
    ['is that of its header, not of the padding', ipv4(33), 33],
    ['is that of its header in IPv6', ipv6(10), 50],
    ['may be all of the plaintext', ipv4(40), 40],
    ['is none if it is longer than the plaintext', ipv4(41), -1],
    ['is none if it is longer than the plaintext in IPv6', ipv6(17), -1],
    ['is none if it is shorter than a header', ipv4(19), -1],
    ['is none in less than a header', ipv4(20).subarray(0, 19), -1],
    ['is none in less than an IPv6 header', ipv6(0).subarray(0, 39), -1],
    ['is none for other versions', new Uint8Array(64), -1],
    ['is none for nothing', new Uint8Array(0), -1],
  ] as const) {
    it(name, () => assert.equal(innerPacketLength(plaintext, 0, plaintext.length), expected));
  }

  it('is never longer than the plaintext, whatever that is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(0x45, 0x60), (plaintext, first) => {
        if (plaintext.length > 0) plaintext[0] = first;
        const length = innerPacketLength(plaintext, 0, plaintext.length);
        assert.ok(length === -1 || (length >= 20 && length <= plaintext.length));
      }),
    );
  });
});
