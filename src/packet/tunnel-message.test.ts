import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { faultOf, setUint16 } from '../../test/packets.ts';
import { innerPacketLength, paddedLength } from '../wireguard/transport.ts';
import { RELAY_PORT } from './relay-header.ts';
import { Segmenter } from './segment.ts';
import { isOnMeshPort, isTunnelMessage, TUNNEL_PORT, tunnelMessage } from './tunnel-message.ts';
import { GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, type VirtioHeader } from './virtio.ts';

const SOURCE = Uint8Array.of(0xfd, 0x77, ...new Array<number>(14).fill(1));
const DESTINATION = Uint8Array.of(0xfd, 0x77, ...new Array<number>(14).fill(2));
const MTU = 1420;

describe('a tunnel message', () => {
  it('is IPv6 and UDP with a right checksum, whatever the message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), (message) => {
        const packet = tunnelMessage(message, SOURCE, DESTINATION);
        assert.equal(faultOf(packet), undefined);
        assert.ok(isTunnelMessage(packet, 0, packet.length));
        assert.ok(isOnMeshPort(packet, 0, packet.length));
      }),
    );
  });

  it('is none with any bit of it turned, but for those that routers change', () => {
    const packet = tunnelMessage(Uint8Array.of(1, 2, 3), SOURCE, DESTINATION);
    const isRouters = (bit: number) => (bit >= 4 && bit < 32) || (bit >= 56 && bit < 64);
    for (let bit = 0; bit < 8 * packet.length; bit++) {
      const turned = packet.slice();
      turned[bit >> 3] ^= 0x80 >> (bit & 7);
      assert.equal(isTunnelMessage(turned, 0, turned.length), isRouters(bit), `bit ${bit}`);
    }
  });
});

/** A packet that a host, or who is behind it, might try: a message with some bytes and words of it changed. */
const attempt = fc
  .record({
    payload: fc.uint8Array({ maxLength: 300 }),
    bytes: fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 4 }),
    words: fc.array(
      fc.tuple(
        fc.constantFrom(0, 4, 6, 8, 24, 40, 42, 44, 46, 48, 50),
        fc.oneof(fc.constantFrom(0, 1, 8, 17, 0x6000, 0xfd77, TUNNEL_PORT, RELAY_PORT, 0xffff), fc.nat(0xffff)),
      ),
      { maxLength: 4 },
    ),
    cut: fc.nat(12),
  })
  .map(({ payload, bytes, words, cut }) => {
    const packet = tunnelMessage(payload, SOURCE, DESTINATION);
    for (const [at, value] of bytes) if (at < packet.length) packet[at] = value;
    for (const [at, value] of words) if (at + 2 <= packet.length) setUint16(packet, at, value);
    return packet.subarray(0, packet.length - cut);
  });

/** What a TUN device says of it, or a virtual machine behind the host. */
const request: fc.Arbitrary<VirtioHeader> = fc.record({
  flags: fc.nat(3),
  gsoType: fc.constantFrom(GSO_NONE, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4),
  headerLength: fc.nat(100),
  gsoSize: fc.oneof(fc.nat(60), fc.nat(1400)),
  checksumStart: fc.oneof(fc.constantFrom(0, 20, 38, 40, 48), fc.nat(120)),
  checksumOffset: fc.oneof(fc.constantFrom(0, 2, 4, 6, 16, 40), fc.nat(120)),
});

/** As it comes out of the tunnel: padded, and as long as its own header says. */
function received(segment: Uint8Array): Uint8Array | undefined {
  const plaintext = new Uint8Array(paddedLength(segment.length, MTU));
  plaintext.set(segment);
  const length = innerPacketLength(plaintext, 0, plaintext.length);
  return length < 0 ? undefined : plaintext.subarray(0, length);
}

/** What completing a checksum writes, and wherever: an attacker tries until it is what he wants. */
const written = fc.constantFrom(TUNNEL_PORT, RELAY_PORT, 0xfd77, 0x1101, 0x6000, 0x1234);

describe('a packet of the host', () => {
  it('that would be taken for a tunnel message, whole or as a segment, has been refused before', () => {
    let checksum = 0;
    const segmenter = new Segmenter({
      sum: () => 0xffff - checksum,
      // eslint-disable-next-line max-params -- the parameters of `Checksums.copyAndSum`
      copyAndSum(to, toOffset, from, fromOffset, length) {
        to.set(from.subarray(fromOffset, fromOffset + length), toOffset);
        return 0xffff - checksum;
      },
    });
    const target = new Uint8Array(4096);
    let messages = 0;
    fc.assert(
      fc.property(attempt, request, written, (packet, header, wanted) => {
        checksum = wanted;
        const isRefused = isOnMeshPort(packet, 0, packet.length);
        const segments = segmenter.begin(packet, 0, packet.length, header);
        for (let index = 0; index < segments; index++) {
          const segment = received(target.subarray(0, segmenter.write(index, target, 0)));
          if (segment === undefined || !isTunnelMessage(segment, 0, segment.length, ANY_CHECKSUM)) continue;
          messages++;
          assert.ok(isRefused);
        }
      }),
      { numRuns: 50_000 },
    );
    // Else nothing was shown.
    assert.ok(messages > 500, `${messages} messages`);
  });
});

/** As if every checksum of a message were right: he tries that, too. */
const ANY_CHECKSUM = {
  sum: (_bytes: Uint8Array, _offset: number, length: number) => 0xffff - ((17 + length - 32) % 0xffff),
  copyAndSum: () => 0,
};
