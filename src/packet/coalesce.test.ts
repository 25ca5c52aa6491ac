import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { getUint16, naiveChecksum, packetOf, setUint16, type PacketFields } from '../../test/packets.ts';
import { Coalescer, EXTENDED, MAX_PIECES, OPENED, REFUSED } from './coalesce.ts';
import { DONT_FRAGMENT, IPV4, IPV6, PROTOCOL_UDP } from './ip.ts';
import { Segmenter } from './segment.ts';
import { ACK, CWR, ECE, FIN, PSH, TCP } from './tcp.ts';
import {
  emptyVirtioHeader,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  NEEDS_CHECKSUM,
  type VirtioHeader,
} from './virtio.ts';

interface Group {
  readonly packet: Uint8Array;
  readonly header: VirtioHeader;
  readonly pieces: number;
}

/** Runs packets that lie in one buffer, as those of a received train do, through a coalescer. */
function coalesce(packets: readonly Uint8Array[]): Group[] {
  const gap = 32;
  const bytes = new Uint8Array(packets.reduce((end, packet) => end + gap + packet.length, 0));
  const coalescer = new Coalescer();
  const groups: Group[] = [];
  const finish = () => {
    const header = emptyVirtioHeader();
    const pieces = coalescer.finish(bytes, header);
    const parts = Array.from({ length: pieces }, (_, i) => {
      const offset = coalescer.pieceOffsets[i];
      return [...bytes.subarray(offset, offset + coalescer.pieceLengths[i])];
    });
    if (pieces > 0) groups.push({ packet: Uint8Array.from(parts.flat()), header, pieces });
  };
  let offset = 0;
  for (const packet of packets) {
    offset += gap;
    bytes.set(packet, offset);
    if (coalescer.add(bytes, offset, packet.length) === REFUSED) {
      finish();
      assert.equal(coalescer.add(bytes, offset, packet.length), OPENED);
    }
    offset += packet.length;
  }
  finish();
  finish();
  return groups;
}

function cut({ packet, header }: Group): Uint8Array[] {
  const segmenter = new Segmenter();
  const target = new Uint8Array(70_000);
  const count = segmenter.begin(packet, 0, packet.length, header);
  return Array.from({ length: count }, (_, i) => target.slice(0, segmenter.write(i, target, 0)));
}

/** Consecutive segments of one flow. */
function flow(payloads: readonly number[], fields: Partial<PacketFields> = {}): Uint8Array[] {
  let sequence = fields.sequence ?? 1000;
  return payloads.map((length, i) => {
    const payload = Uint8Array.from({ length }, (_, j) => sequence + j * 3);
    const packet = packetOf({ flags: ACK, identification: 7 + i, ...fields, payload, sequence });
    sequence = (sequence + length) >>> 0;
    return packet;
  });
}

/** `packet` with something changed, and the checksums made right again. */
function changed(packet: Uint8Array, at: number, xor: number): Uint8Array {
  const copy = packet.slice();
  copy[at] ^= xor;
  if (copy[0] >> 4 !== 4) return copy;
  setUint16(copy, IPV4.checksum, 0);
  setUint16(copy, IPV4.checksum, naiveChecksum(copy.subarray(0, IPV4.end)));
  return withTcpChecksum(copy);
}

function withTcpChecksum(packet: Uint8Array): Uint8Array {
  setUint16(packet, 20 + TCP.checksum, 0);
  const length = packet.length - 20;
  const pseudo = [...packet.subarray(IPV4.source, IPV4.end), 0, 6, length >> 8, length & 0xff];
  setUint16(packet, 20 + TCP.checksum, naiveChecksum(Uint8Array.from([...pseudo, ...packet.subarray(20)])));
  return packet;
}

const sizes = (packets: readonly Uint8Array[]) => coalesce(packets).map(({ pieces }) => pieces);

describe('segments that follow one another', () => {
  for (const family of [4, 6] as const) {
    it(`become one large packet, IPv${family}`, () => {
      const packets = flow([1000, 1000, 1000, 500], { family, options: new Uint8Array(12).fill(1) });
      const [group, ...others] = coalesce(packets);
      assert.deepEqual(others, []);
      const transport = family === 4 ? IPV4.end : IPV6.end;
      assert.equal(group.pieces, 4);
      assert.equal(group.packet.length, transport + 32 + 3500);
      assert.deepEqual(group.header, {
        flags: NEEDS_CHECKSUM,
        gsoType: family === 4 ? GSO_TCPV4 : GSO_TCPV6,
        headerLength: transport + 32,
        gsoSize: 1000,
        checksumStart: transport,
        checksumOffset: TCP.checksum,
      });
      assert.deepEqual(cut(group), packets);
    });
  }

  it('are found across the end of the sequence numbers', () => {
    assert.deepEqual(sizes(flow([100, 100, 100], { sequence: 0xffff_ffc0 })), [3]);
  });

  it('end with one that is shorter, or pushed; and the large packet is pushed then', () => {
    assert.deepEqual(sizes(flow([100, 100, 60, 60, 60])), [3, 2]);
    const packets = flow([100, 100, 100]);
    packets[1] = changed(packets[1], 20 + TCP.flags, PSH);
    const groups = coalesce(packets);
    assert.deepEqual(
      groups.map(({ pieces }) => pieces),
      [2, 1],
    );
    assert.equal(groups[0].packet[20 + TCP.flags], ACK | PSH);
    assert.deepEqual(groups.flatMap(cut), packets);
  });

  it('do not become a packet longer than IP can say, nor a longer list than there is room for', () => {
    const many = flow(Array<number>(60).fill(1400));
    const groups = coalesce(many);
    assert.deepEqual(
      groups.map(({ pieces }) => pieces),
      [46, 14],
    );
    assert.equal(getUint16(groups[0].packet, IPV4.totalLength), 40 + 46 * 1400);
    assert.deepEqual(sizes(flow(Array<number>(MAX_PIECES + 1).fill(10))), [MAX_PIECES, 1]);
  });
});

describe('segments with marks of congestion', () => {
  const AE = 1;
  const marked = (flags: number, ae: number): Uint8Array[] =>
    flow([100, 100, 100], { flags: ACK | flags }).map((packet) => changed(packet, 20 + TCP.dataOffset, ae));

  it('are put together where all agree on ECE and AE, and stay marked', () => {
    for (const [flags, ae] of [
      [ECE, 0],
      [ECE, AE],
      [0, AE],
    ]) {
      const packets = marked(flags, ae);
      const [group, ...others] = coalesce(packets);
      assert.equal(group.pieces, 3);
      assert.deepEqual(others, []);
      assert.equal(group.header.gsoType, GSO_TCPV4);
      assert.deepEqual(cut(group), packets);
    }
  });

  it('begin a large packet with CWR, and the host is told that it has one', () => {
    const packets = [flow([100], { flags: ACK | CWR })[0], ...flow([100, 100, 100]).slice(1)];
    const [group] = coalesce(packets);
    assert.equal(group.pieces, 3);
    assert.equal(group.header.gsoType, GSO_TCPV4 | GSO_ECN);
    assert.deepEqual(cut(group), packets);
  });

  it('stay apart where more than the first has CWR: whoever cuts would take it from the others', () => {
    assert.deepEqual(sizes(marked(CWR, AE)), [1, 1, 1]);
  });
});

describe('a packet that stays alone', () => {
  it('is passed on as it came', () => {
    for (const packet of [flow([100])[0], packetOf({ protocol: PROTOCOL_UDP }), Uint8Array.of(0), new Uint8Array(90)]) {
      assert.deepEqual(coalesce([packet]), [
        { packet, header: { ...emptyVirtioHeader(), gsoType: GSO_NONE }, pieces: 1 },
      ]);
    }
  });
});

describe('segments that do not belong together', () => {
  const [first, second] = flow([100, 100]);
  for (const [why, other] of [
    ['a gap in the sequence numbers', flow([100], { sequence: 1101, identification: 8 })[0]],
    ['another type of service', changed(second, IPV4.typeOfService, 1)],
    ['another time to live', changed(second, IPV4.timeToLive, 1)],
    ['another source', changed(second, IPV4.source + 3, 1)],
    ['another destination', changed(second, IPV4.destination + 3, 1)],
    ['another port', changed(second, 21, 1)],
    ['another acknowledgment', changed(second, 20 + TCP.acknowledgment + 3, 1)],
    ['another window', changed(second, 20 + TCP.window, 1)],
    ['an urgent pointer', changed(second, 20 + TCP.urgent, 1)],
    ['FIN', changed(second, 20 + TCP.flags, FIN)],
    ['CWR', changed(second, 20 + TCP.flags, CWR)],
    ['ECE', changed(second, 20 + TCP.flags, ECE)],
    ['AE', changed(second, 20 + TCP.dataOffset, 1)],
    ['no ACK', changed(second, 20 + TCP.flags, ACK)],
    ['options', flow([100], { sequence: 1100, options: new Uint8Array(4), identification: 8 })[0]],
    ['fragments allowed for one', changed(second, IPV4.flagsAndOffset, 0x40)],
    ['a fragment', changed(second, IPV4.flagsAndOffset, 0x20)],
    ['more payload', flow([101], { sequence: 1100, identification: 8 })[0]],
    ['no payload', flow([0], { sequence: 1100, identification: 8 })[0]],
    ['UDP', packetOf({ protocol: PROTOCOL_UDP, payload: new Uint8Array(100) })],
    ['another family', flow([100], { sequence: 1100, family: 6 })[0]],
  ] as const) {
    it(`stay apart: ${why}`, () => {
      const groups = coalesce([first, other]);
      assert.deepEqual(
        groups.map(({ packet }) => packet),
        [first, other],
      );
    });
  }

  it('stay apart: options that differ', () => {
    const packets = flow([100, 100], { options: new Uint8Array(12).fill(1) });
    assert.deepEqual(sizes([packets[0], changed(packets[1], 20 + TCP.end + 4, 1)]), [1, 1]);
  });

  it('stay apart: identifications that cutting would not give back, where fragments are allowed', () => {
    const packets = flow([100, 100], { flagsAndOffset: 0 });
    assert.deepEqual(sizes(packets), [2]);
    assert.deepEqual(sizes([packets[0], changed(packets[1], IPV4.identification + 1, 0x0f)]), [1, 1]);
  });

  it('stay apart, and wrong: a checksum that is not right, in IP or TCP, of the first or the second', () => {
    for (const at of [IPV4.checksum, 20 + TCP.checksum, 60]) {
      for (const broken of [0, 1]) {
        const packets = [first.slice(), second.slice()];
        packets[broken][at] ^= 1;
        assert.deepEqual(
          coalesce(packets).map(({ packet }) => packet),
          packets,
        );
      }
    }
  });
});

describe('any train of packets', () => {
  it('is, cut again, the very same', () => {
    const steps = fc.record({
      flow: fc.nat(1),
      length: fc.constantFrom(0, 30, 100, 100, 100, 100),
      flags: fc.constantFrom(ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | ECE, ACK | CWR),
      lost: fc.constantFrom(false, false, false, true),
      flip: fc.option(fc.nat(200), { nil: undefined, freq: 8 }),
    });
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 40 }), fc.constantFrom(4 as const, 6 as const), (train, family) => {
        const next = [
          { sequence: 1, identification: 1, options: new Uint8Array(0) },
          { sequence: 0xffff_ff00, identification: 0xfffe, options: new Uint8Array(12).fill(1) },
        ];
        const packets = train.map(({ flow: which, length, flags, lost, flip }) => {
          const state = next[which];
          const payload = Uint8Array.from({ length }, (_, i) => state.sequence + i);
          const packet = packetOf({ ...state, family, flags, payload, flagsAndOffset: DONT_FRAGMENT });
          state.sequence = (state.sequence + length + (lost ? 100 : 0)) >>> 0;
          state.identification = (state.identification + 1) & 0xffff;
          if (flip !== undefined) packet[flip % packet.length] ^= 0x10;
          return packet;
        });
        assert.deepEqual(coalesce(packets).flatMap(cut).map(withoutIdentification), packets.map(withoutIdentification));
      }),
      { numRuns: 500 },
    );
  });

  it('does not make the coalescer throw, whatever it holds', () => {
    const starts = fc.constantFrom(0x45, 0x46, 0x60, 0x00, 0xff);
    const garbage = fc.tuple(starts, fc.uint8Array({ minLength: 1, maxLength: 120 })).map(([start, packet]) => {
      packet[0] = start;
      if (packet.length > IPV4.protocol) packet[start === 0x60 ? IPV6.nextHeader : IPV4.protocol] = 6;
      return packet;
    });
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 5 }), (packets) => {
        assert.deepEqual(
          coalesce(packets).map(({ packet }) => packet),
          packets,
        );
      }),
      { numRuns: 1000 },
    );
  });

  it('may hold nothing', () => assert.deepEqual(coalesce([]), []));
});

describe('the coalescer', () => {
  it('says what became of a packet', () => {
    const packets = flow([50, 50, 20, 20]);
    const bytes = Uint8Array.from(packets.flatMap((packet) => [...packet]));
    const coalescer = new Coalescer();
    let offset = 0;
    const results = packets.map((packet) => {
      const result = coalescer.add(bytes, offset, packet.length);
      offset += packet.length;
      return result;
    });
    assert.deepEqual(results, [OPENED, EXTENDED, EXTENDED, REFUSED]);
  });
});

/** Where fragments are forbidden nobody looks at it (RFC 6864 §4.1), and a large packet has but one. */
function withoutIdentification(packet: Uint8Array): Uint8Array {
  if (packet[0] >> 4 !== 4) return packet;
  const copy = packet.slice();
  copy.fill(0, IPV4.identification, IPV4.identification + 2).fill(0, IPV4.checksum, IPV4.checksum + 2);
  return copy;
}
