import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { faultOf, getUint16, packetOf, packetWithPartialChecksum, type PacketFields } from '../../test/packets.ts';
import { IPV4, PROTOCOL_TCP, PROTOCOL_UDP } from './ip.ts';
import { Segmenter } from './segment.ts';
import { ACK, CWR, FIN, PSH, TCP } from './tcp.ts';
import {
  emptyVirtioHeader,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  NEEDS_CHECKSUM,
  type VirtioHeader,
} from './virtio.ts';

/** What the kernel would hand over for these fields: the packet, and the header in front of it. */
function largePacket(fields: Partial<PacketFields>, gsoSize: number) {
  const { packet, transport, headers, checksumAt } = packetWithPartialChecksum(fields);
  const tcpType = fields.family === 6 ? GSO_TCPV6 : GSO_TCPV4;
  const header: VirtioHeader = {
    flags: NEEDS_CHECKSUM,
    gsoType: fields.protocol === PROTOCOL_UDP ? GSO_UDP_L4 : tcpType,
    headerLength: headers,
    gsoSize,
    checksumStart: transport,
    checksumOffset: checksumAt - transport,
  };
  return { packet, transport, headers, header };
}

function cut(packet: Uint8Array, header: VirtioHeader): Uint8Array[] {
  const bytes = new Uint8Array(packet.length + 20);
  bytes.set(packet, 10);
  const target = new Uint8Array(70_000);
  const segmenter = new Segmenter();
  const count = segmenter.begin(bytes, 10, packet.length, header);
  const segments = Array.from({ length: count }, (_, i) => target.slice(33, 33 + segmenter.write(i, target, 33)));
  if (count > 0) assert.equal(segmenter.longest, Math.max(...segments.map(({ length }) => length)));
  return segments;
}

const payloads = fc.uint8Array({ minLength: 1, maxLength: 5000 });
const families = fc.constantFrom(4 as const, 6 as const);
const tcpOptions = fc.nat(10).map((words) => new Uint8Array(4 * words).fill(1));

describe('a large TCP packet', () => {
  it('is cut into packets of the segment size, with right lengths, checksums and sequence numbers', () => {
    fc.assert(
      fc.property(
        families,
        payloads,
        tcpOptions,
        fc.record({ size: fc.integer({ min: 50, max: 2000 }), sequence: fc.nat(0xffff_ffff), id: fc.nat(0xffff) }),
        (family, payload, options, { size, sequence, id }) => {
          const fields = { family, payload, options, sequence, identification: id, flags: ACK | PSH };
          const { packet, transport, headers, header } = largePacket(fields, size);
          const segments = cut(packet, header);
          assert.equal(segments.length, Math.ceil(payload.length / size));
          for (const [i, segment] of segments.entries()) {
            assert.equal(faultOf(segment), undefined);
            const view = new DataView(segment.buffer);
            assert.equal(view.getUint32(transport + TCP.sequence), (sequence + i * size) % 2 ** 32);
            if (family === 4) assert.equal(getUint16(segment, IPV4.identification), (id + i) & 0xffff);
            assert.deepEqual(segment.subarray(headers), payload.subarray(i * size, (i + 1) * size));
          }
        },
      ),
    );
  });

  it('keeps FIN and PSH for its last segment, CWR for its first', () => {
    const flags = ACK | PSH | FIN | CWR;
    const { packet, transport, header } = largePacket({ payload: new Uint8Array(250), flags }, 100);
    const segments = cut(packet, { ...header, gsoType: GSO_TCPV4 | GSO_ECN });
    const seen = segments.map((segment) => segment[transport + TCP.flags]);
    assert.deepEqual(seen, [ACK | CWR, ACK, ACK | PSH | FIN]);
  });
});

describe('a large UDP packet', () => {
  it('is cut into datagrams of the segment size, with right lengths and checksums', () => {
    fc.assert(
      fc.property(families, payloads, fc.integer({ min: 50, max: 2000 }), (family, payload, size) => {
        const { packet, headers, header } = largePacket({ family, payload, protocol: PROTOCOL_UDP }, size);
        const segments = cut(packet, header);
        assert.deepEqual(
          segments.map((segment) => [faultOf(segment), segment.subarray(headers)]),
          segments.map((_, i) => [undefined, payload.subarray(i * size, (i + 1) * size)]),
        );
        assert.equal(segments.length, Math.ceil(payload.length / size));
      }),
    );
  });
});

describe('a packet that need not be cut', () => {
  it('gets its checksum completed where the kernel left that to the device', () => {
    for (const protocol of [PROTOCOL_TCP, PROTOCOL_UDP] as const) {
      for (const family of [4, 6] as const) {
        const { packet, header } = largePacket({ family, protocol, payload: Uint8Array.of(1, 2, 3) }, 0);
        const [whole, ...others] = cut(packet, { ...header, gsoType: GSO_NONE });
        assert.equal(faultOf(whole), undefined);
        assert.deepEqual(others, []);
      }
    }
  });

  it('never gets a UDP checksum of zero, which would mean "none"', () => {
    for (let i = 0; i < 0x1_0000; i += 0xff) {
      const { packet, header } = largePacket({ protocol: PROTOCOL_UDP, payload: Uint8Array.of(i >> 8, i) }, 0);
      assert.equal(faultOf(cut(packet, { ...header, gsoType: GSO_NONE })[0]), undefined);
    }
    const { packet, header } = largePacket({ protocol: PROTOCOL_UDP, payload: new Uint8Array(2) }, 0);
    const checksum = getUint16(cut(packet, { ...header, gsoType: GSO_NONE })[0], 26);
    packet.set([checksum >> 8, checksum], 28); // The payload that makes the sum come out as zero.
    const [whole] = cut(packet, { ...header, gsoType: GSO_NONE });
    assert.equal(getUint16(whole, 26), 0xffff);
    assert.equal(faultOf(whole), undefined);
  });

  it('passes as it is where its checksum is complete', () => {
    const packet = packetOf({ payload: Uint8Array.of(9) });
    assert.deepEqual(cut(packet, emptyVirtioHeader()), [packet]);
  });
});

describe('a packet that contradicts its virtio header', () => {
  const { packet, header } = largePacket({ payload: new Uint8Array(300) }, 100);
  for (const [why, wrong] of [
    ['another family', { gsoType: GSO_TCPV6 }],
    ['an unknown kind', { gsoType: 3 }],
    ['segments of no size', { gsoSize: 0 }],
    ['no checksum to complete', { flags: 0 }],
    ['TCP inside the IP header', { checksumStart: 19 }],
    ['TCP behind the IP header', { checksumStart: 24 }],
    ['TCP behind the end', { checksumStart: 330 }],
    ['a checksum behind the end', { gsoType: GSO_NONE, checksumStart: 330 }],
  ] as const) {
    it(`is dropped: ${why}`, () => assert.deepEqual(cut(packet, { ...header, ...wrong }), []));
  }

  it('is dropped: a TCP header longer than the packet, or shorter than TCP', () => {
    for (const dataOffset of [0xf0, 0x40]) {
      const short = largePacket({ payload: new Uint8Array(10) }, 5);
      short.packet[20 + TCP.dataOffset] = dataOffset;
      assert.deepEqual(cut(short.packet, short.header), []);
    }
  });

  it('does not make the segmenter throw or write more than it read, whatever it is', () => {
    const headers = fc.record({
      flags: fc.nat(3),
      gsoType: fc.constantFrom(GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, 0x81, 255),
      headerLength: fc.nat(0xffff),
      gsoSize: fc.nat(300),
      checksumStart: fc.oneof(fc.constantFrom(20, 24, 40), fc.nat(0xffff)),
      checksumOffset: fc.oneof(fc.constantFrom(6, 16), fc.nat(0xffff)),
    });
    const starts = fc.constantFrom(0x45, 0x46, 0x4f, 0x60, 0x00, 0xff);
    fc.assert(
      fc.property(starts, fc.uint8Array({ minLength: 1, maxLength: 200 }), headers, (start, packet, header) => {
        packet[0] = start;
        for (const segment of cut(packet, header)) assert.ok(segment.length <= packet.length);
      }),
      { numRuns: 1000 },
    );
  });
});
