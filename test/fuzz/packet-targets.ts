import assert from 'node:assert/strict';
import {
  Coalescer,
  decapsulateEcn,
  emptyVirtioHeader,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  IPV4,
  IPV6,
  LONGEST_ICMP_ERROR,
  NEEDS_CHECKSUM,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  readVirtioHeader,
  REFUSED,
  Segmenter,
  TCP,
  VIRTIO_HEADER_BYTES,
  writeUnreachable,
  writeVirtioHeader,
  type VirtioHeader,
} from '../../src/packet/index.ts';
import { innerPacketLength } from '../../src/wireguard/index.ts';
import { faultOf, getUint16, naiveChecksum, packetOf, packetWithPartialChecksum, setUint16 } from '../packets.ts';
import { readFrames, writeFrames, type Target } from './target.ts';

/** What memory holds that nothing may be written to. */
const CANARY = 0xa5;
const ICMP_HEADER = 8;
const FAMILIES = [4, 6] as const;

/** Segments are cut inside their bounds, add up to the packet, and are right where the packet was. */
export function segmenterTarget(): Target {
  const segmenter = new Segmenter();
  const target = new Uint8Array(140_000);
  const header = emptyVirtioHeader();
  return {
    name: 'segmenter',
    share: 10,
    seeds: FAMILIES.flatMap((family) => [largePacket(family, PROTOCOL_TCP), largePacket(family, PROTOCOL_UDP)]),
    outcomes: ['contradiction', 'whole', 'right', 'cut'],
    run(input) {
      if (input.length < VIRTIO_HEADER_BYTES) return 'contradiction';
      readVirtioHeader(input, 0, header);
      assertHeaderWritten(header, input);
      const packet = input.subarray(VIRTIO_HEADER_BYTES);
      const count = segmenter.begin(input, VIRTIO_HEADER_BYTES, packet.length, header);
      if (count === 0) return 'contradiction';
      assert.ok(count <= packet.length, `${count} segments`);
      const mustBeRight = isRegular(packet, header);
      // All of a usual number, the ends of a large one.
      for (let i = 0; i < count; i += count > 64 && i === 2 ? count - 4 : 1) {
        target.fill(CANARY, 0, 2 * packet.length + 128);
        const length = segmenter.write(i, target, 64);
        assert.ok(length > 0 && length <= packet.length, `a segment of ${length} bytes`);
        assert.ok(isUntouched(target, 0, 64) && isUntouched(target, 64 + length, 128 + 2 * packet.length));
        if (mustBeRight) assert.equal(faultOf(target.subarray(64, 64 + length)), undefined);
      }
      if (mustBeRight) return 'right';
      return header.gsoType === GSO_NONE ? 'whole' : 'cut';
    },
  };
}

/** A packet with offload and its virtio header. */
function largePacket(family: 4 | 6, protocol: typeof PROTOCOL_TCP | typeof PROTOCOL_UDP): Uint8Array {
  const { packet, transport, checksumAt } = packetWithPartialChecksum({
    family,
    protocol,
    payload: new Uint8Array(300),
  });
  const tcpType = family === 4 ? GSO_TCPV4 : GSO_TCPV6;
  const bytes = new Uint8Array(VIRTIO_HEADER_BYTES + packet.length);
  writeVirtioHeader(bytes, 0, {
    ...{ flags: NEEDS_CHECKSUM, gsoType: protocol === PROTOCOL_TCP ? tcpType : GSO_UDP_L4, gsoSize: 100 },
    ...{ headerLength: 40, checksumStart: transport, checksumOffset: checksumAt - transport },
  });
  bytes.set(packet, VIRTIO_HEADER_BYTES);
  return bytes;
}

/** Whether the packet is of the kind that its segments must be right: no options of IP, no other protocol. */
function isRegular(packet: Uint8Array, { gsoType, checksumStart }: VirtioHeader): boolean {
  const type = gsoType & ~GSO_ECN;
  if (type === GSO_NONE) return false;
  const protocol = type === GSO_UDP_L4 ? PROTOCOL_UDP : PROTOCOL_TCP;
  const isIpv4 = packet[0] === 0x45;
  if (!isIpv4 && packet[0] >> 4 !== 6) return false;
  return (
    packet[isIpv4 ? IPV4.protocol : IPV6.nextHeader] === protocol && checksumStart === (isIpv4 ? IPV4.end : IPV6.end)
  );
}

function assertHeaderWritten(header: VirtioHeader, input: Uint8Array): void {
  const written = new Uint8Array(VIRTIO_HEADER_BYTES);
  writeVirtioHeader(written, 0, header);
  assert.equal(Buffer.compare(written, input.subarray(0, VIRTIO_HEADER_BYTES)), 0, 'another virtio header');
}

/** Circumstances of a packet of a train. */
const WITH_CHECKSUMS = 1;

/** A train of packets comes out of the coalescer, cut again, as it went in. */
export function coalescerTarget(): Target {
  const segmenter = new Segmenter();
  const coalescer = new Coalescer();
  const header = emptyVirtioHeader();
  const segment = new Uint8Array(70_000);

  /** Compares the group that ends here with the packets it was made of. @returns how many those are */
  function finish(bytes: Uint8Array, expected: Uint8Array[]): number {
    const count = coalescer.finish(bytes, header);
    const { pieceOffsets, pieceLengths } = coalescer;
    const pieces = Array.from({ length: count }, (_, i) =>
      bytes.subarray(pieceOffsets[i], pieceOffsets[i] + pieceLengths[i]),
    );
    const group = Buffer.concat(pieces);
    if (count === 1) assert.equal(Buffer.compare(group, expected[0]), 0, 'a lone packet was changed');
    if (count <= 1) return count;
    assert.equal(segmenter.begin(group, 0, group.length, header), count);
    for (let i = 0; i < count; i++) {
      const again = segment.subarray(0, segmenter.write(i, segment, 0));
      assert.equal(Buffer.compare(comparable(again), comparable(expected[i])), 0, 'cut again it is another');
    }
    return count;
  }

  return {
    name: 'coalescer',
    share: 4,
    seeds: FAMILIES.flatMap((family) => [train(family, new Uint8Array(0)), train(family, new Uint8Array(12).fill(1))]),
    outcomes: ['apart', 'joined'],
    run(input) {
      const packets = readFrames(input, 8).map(({ circumstances, bytes }) =>
        (circumstances & WITH_CHECKSUMS) === 0 ? bytes : withChecksums(bytes),
      );
      const bytes = Uint8Array.from(Buffer.concat(packets));
      let [offset, start, longest] = [0, 0, 0];
      for (const [i, packet] of packets.entries()) {
        if (coalescer.add(bytes, offset, packet.length) === REFUSED) {
          const finished = finish(bytes, packets.slice(start));
          assert.equal(finished, i - start, 'packets are missing');
          [start, longest] = [i, Math.max(longest, finished)];
          assert.notEqual(coalescer.add(bytes, offset, packet.length), REFUSED, 'refused to begin');
        }
        offset += packet.length;
      }
      const finished = finish(bytes, packets.slice(start));
      assert.equal(finished, packets.length - start, 'packets are missing');
      return Math.max(longest, finished) > 1 ? 'joined' : 'apart';
    },
  };
}

function train(family: 4 | 6, options: Uint8Array): Uint8Array {
  const packets = [0, 1, 2, 3].map((i) => {
    const payload = new Uint8Array(i === 3 ? 17 : 24).fill(i);
    return packetOf({ family, options, payload, sequence: 1000 + 24 * i, identification: 7 + i });
  });
  return writeFrames(packets.map((bytes) => ({ circumstances: WITH_CHECKSUMS, bytes })));
}

/** `packet` with the checksums of IP and TCP made right, if it has room for them. */
function withChecksums(packet: Uint8Array): Uint8Array {
  const isIpv4 = packet[0] === 0x45;
  const transport = isIpv4 ? IPV4.end : IPV6.end;
  if (packet.length < transport + TCP.end) return packet;
  if (isIpv4) {
    setUint16(packet, IPV4.checksum, 0);
    setUint16(packet, IPV4.checksum, naiveChecksum(packet.subarray(0, IPV4.end)));
  }
  const addresses = isIpv4 ? packet.subarray(IPV4.source, IPV4.end) : packet.subarray(IPV6.source, IPV6.end);
  const length = packet.length - transport;
  setUint16(packet, transport + TCP.checksum, 0);
  const pseudo = [...addresses, 0, PROTOCOL_TCP, length >> 8, length & 0xff];
  setUint16(
    packet,
    transport + TCP.checksum,
    naiveChecksum(Uint8Array.from([...pseudo, ...packet.subarray(transport)])),
  );
  return packet;
}

/** Where fragments are forbidden nobody looks at the identification (RFC 6864 §4.1), and a large packet has but one. */
function comparable(packet: Uint8Array): Uint8Array {
  if (packet[0] >> 4 !== 4 || getUint16(packet, IPV4.flagsAndOffset) !== 0x4000) return packet;
  const copy = packet.slice();
  setUint16(copy, IPV4.identification, 0);
  setUint16(copy, IPV4.checksum, 0);
  return copy;
}

/** What routers said of the outer header changes two bits and a checksum of the inner packet, and reads nothing else. */
export const ecnTarget: Target = {
  name: 'ecn',
  share: 15,
  seeds: FAMILIES.flatMap((family) => [0, 1, 2, 3].map((ecn) => withEcn(packetOf({ family }), ecn))),
  outcomes: ['no packet', 'unchanged', 'changed', 'congestion unheard'],
  run(input) {
    const length = innerPacketLength(input, 0, input.length);
    if (length < 0) return 'no packet';
    const outer = input[length - 1] & 3;
    // Nothing lies behind it that could be read.
    const packet = input.slice(0, length);
    if (!decapsulateEcn(packet, 0, outer)) return 'congestion unheard';
    if (Buffer.compare(packet, input.subarray(0, length)) === 0) return 'unchanged';
    const isIpv4 = packet[0] >> 4 === 4;
    const header = (packet[0] & 0x0f) * 4;
    if (isIpv4 && header >= IPV4.end && header <= length) {
      const [before, after] = [input, packet].map((bytes) => naiveChecksum(bytes.subarray(0, header)));
      assert.equal(after, before, 'the header checksum is right where it was wrong, or the reverse');
    }
    packet[1] = input[1] ^ ((input[1] ^ packet[1]) & ~(isIpv4 ? 0x03 : 0x30));
    if (isIpv4) packet.set(input.subarray(IPV4.checksum, IPV4.checksum + 2), IPV4.checksum);
    assert.equal(Buffer.compare(packet, input.subarray(0, length)), 0, 'something else was changed');
    return 'changed';
  },
};

function withEcn(packet: Uint8Array, ecn: number): Uint8Array {
  packet[1] |= packet[0] === 0x45 ? ecn : ecn << 4;
  if (packet[0] === 0x45) setUint16(packet, IPV4.checksum, 0);
  if (packet[0] === 0x45) setUint16(packet, IPV4.checksum, naiveChecksum(packet.subarray(0, IPV4.end)));
  return packet;
}

/** An answer is a right packet, to whom the packet came from, no longer than allowed, and never about an error. */
export function unreachableTarget(): Target {
  const target = new Uint8Array(LONGEST_ICMP_ERROR + 64);
  return {
    name: 'unreachable',
    share: 10,
    seeds: FAMILIES.flatMap((family) => [
      packetOf({ family, payload: new Uint8Array(1400) }),
      packetOf({ family, protocol: PROTOCOL_UDP }),
      echoRequest(family),
    ]),
    outcomes: ['silent', 'answered'],
    run(packet) {
      if (packet.length === 0) return 'silent'; // the device does not read less than a header
      target.fill(CANARY);
      const length = writeUnreachable(packet, 0, packet.length, target);
      assert.ok(isUntouched(target, length, target.length), 'written beyond the end');
      if (length === 0) return 'silent';
      assert.ok(length <= (packet[0] >> 4 === 4 ? 576 : LONGEST_ICMP_ERROR), `an answer of ${length} bytes`);
      assertAnswer(target.subarray(0, length), packet);
      return 'answered';
    },
  };
}

function assertAnswer(answer: Uint8Array, packet: Uint8Array): void {
  const isIpv4 = packet[0] >> 4 === 4;
  const [header, source, size] = isIpv4 ? [IPV4.end, IPV4.source, 4] : [IPV6.end, IPV6.source, 16];
  assert.deepEqual(answer.subarray(source, source + size), packet.subarray(source + size, source + 2 * size));
  assert.deepEqual(answer.subarray(source + size, source + 2 * size), packet.subarray(source, source + size));
  assert.ok(packet[source] !== 0xff && packet[source + size] !== 0xff, 'about multicast');
  const quoted = answer.subarray(header + ICMP_HEADER);
  assert.equal(Buffer.compare(quoted, packet.subarray(0, quoted.length)), 0, 'quotes something else');
  const icmp = answer.subarray(header);
  const pseudo = [...answer.subarray(IPV6.source, IPV6.end), 0, PROTOCOL_ICMPV6, icmp.length >> 8, icmp.length & 0xff];
  const summed = isIpv4 ? icmp : Uint8Array.from([...pseudo, ...icmp]);
  assert.equal(naiveChecksum(summed), 0, 'ICMP checksum');
  if (isIpv4) assert.equal(naiveChecksum(answer.subarray(0, IPV4.end)), 0, 'IPv4 header checksum');
  const protocol = packet[isIpv4 ? IPV4.protocol : IPV6.nextHeader];
  const type = packet[isIpv4 ? (packet[0] & 15) * 4 : IPV6.end];
  if (isIpv4 && protocol === PROTOCOL_ICMP) assert.ok(![3, 4, 5, 11, 12].includes(type), 'about an error');
  if (!isIpv4 && protocol === PROTOCOL_ICMPV6) assert.ok(type >= 128, 'about an error');
}

function echoRequest(family: 4 | 6): Uint8Array {
  const packet = packetOf({ family, payload: new Uint8Array(8) });
  const [protocolAt, icmpAt] = family === 4 ? [IPV4.protocol, IPV4.end] : [IPV6.nextHeader, IPV6.end];
  packet[protocolAt] = family === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
  packet[icmpAt] = family === 4 ? 8 : 128;
  return packet;
}

function isUntouched(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes.subarray(start, end).every((byte) => byte === CANARY);
}
