import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  addressFromBytes,
  formatAddress,
  formatPrefix,
  parseAddress,
  prefixOf,
  type IpAddress,
} from '../inet/index.ts';
import { millis } from '../machine/index.ts';
import { readPacket } from './packet-reader.ts';
import { PacketWriter } from './packet-writer.ts';
import { impliedRouterId, isRouterId } from './router-id.ts';
import type { Tlv } from './tlv.ts';

const FROM = parseAddress('fe80::1') as IpAddress;

/** A packet of these TLVs, in hexadecimal digits; spaces are for the reader. */
function packet(body: string, trailer = ''): Uint8Array {
  const bytes = Buffer.from(body.replaceAll(' ', ''), 'hex');
  return Uint8Array.of(42, 2, bytes.length >> 8, bytes.length & 0xff, ...bytes, ...Buffer.from(trailer, 'hex'));
}

/** What is read, in short. */
function read(body: string): string[] {
  const result = readPacket(packet(body), FROM);
  assert.ok(result !== undefined);
  return [...result.tlvs.map(inShort), ...(result.malformed > 0 ? [`${result.malformed} malformed`] : [])];
}

function inShort(tlv: Tlv): string {
  return Object.values(tlv)
    .map((value: unknown) => {
      if (typeof value !== 'object' || value === null) return String(value);
      if ('length' in value) return formatPrefix(value as Parameters<typeof formatPrefix>[0]);
      if ('bytes' in value) return formatAddress(value as IpAddress);
      return JSON.stringify(value);
    })
    .join(' ');
}

/** Written by hand from the figures of RFC 8966 §4.6. */
const ROUTER_1 = '060a 0000 0000000000000001';
const UPDATE_A = '0812 02 80 40 00 0190 0005 0060 20010db800010000';

describe('a TLV', () => {
  for (const [name, body, ...expected] of [
    ['Pad1 and PadN', '00 00 01 03 000000 00'],
    ['an acknowledgment request', '0206 0000 1234 000a', 'acknowledgment-request 4660 100'],
    ['an acknowledgment', '0302 1234', 'acknowledgment 4660'],
    ['a multicast Hello', '0406 0000 0007 0190', 'hello false 7 4000'],
    ['a unicast Hello that promises nothing', '0406 8000 0007 0000', 'hello true 7 0'],
    ['a Hello with a timestamp', '040c 0000 0007 0190 0304 000f4240', 'hello false 7 4000 1000000'],
    ['an IHU for whoever hears it', '0506 00 00 0060 04b0', 'ihu undefined 96 12000'],
    ['an IHU for a link-local address', '050e 03 00 0060 04b0 0000000000000002', 'ihu fe80::2 96 12000'],
    [
      'an IHU with timestamps',
      '0518 03 00 0060 04b0 0000000000000002 0308 00000001 00000002',
      'ihu fe80::2 96 12000 {"origin":1,"receive":2}',
    ],
    ['an Update', `${ROUTER_1} ${UPDATE_A}`, 'update 2001:db8:1::/64 0000000000000001 fe80::1 96 5 4000'],
    ['an Update of no known router', UPDATE_A, '1 malformed'],
    [
      'an Update whose address names its router',
      '081a 02 40 80 00 0190 0005 0060 fd770000000000000000000000000009',
      'update fd77::9/128 0000000000000009 fe80::1 96 5 4000',
    ],
    [
      'an Update that leaves octets out',
      `${ROUTER_1} ${UPDATE_A} 080b 02 00 30 05 0190 0005 0060 02`,
      'update 2001:db8:1::/64 0000000000000001 fe80::1 96 5 4000',
      'update 2001:db8:2::/48 0000000000000001 fe80::1 96 5 4000',
    ],
    ['an Update that leaves out what nobody said', `${ROUTER_1} 080b 02 00 30 05 0190 0005 0060 02`, '1 malformed'],
    ['an IPv4 Update without a next hop', `${ROUTER_1} 080d 01 00 18 00 0190 0005 0060 c00002`, '1 malformed'],
    [
      'an IPv4 Update with a next hop',
      `${ROUTER_1} 0706 01 00 c0000201 080d 01 00 18 00 0190 0005 0060 c00002`,
      'update 192.0.2.0/24 0000000000000001 192.0.2.1 96 5 4000',
    ],
    [
      'an IPv4 Update by way of IPv6',
      `${ROUTER_1} 070a 03 00 0000000000000003 080d 04 00 18 00 0190 0005 0060 c00002`,
      'update 192.0.2.0/24 0000000000000001 fe80::3 96 5 4000',
    ],
    ['a retraction', '080c 02 00 10 00 0190 0005 ffff fd77', 'retraction fd77::/16'],
    ['a retraction of everything', '080a 00 00 00 00 0190 0005 ffff', 'retraction undefined'],
    ['an announcement of everything', `${ROUTER_1} 080a 00 00 00 00 0190 0005 0001`, '1 malformed'],
    ['bits beyond the prefix', '0902 02 00 0904 02 0c fd7f', 'route-request ::/0', 'route-request fd70::/12'],
    ['a request for everything', '0902 00 00', 'route-request undefined'],
    ['a seqno request', '0a10 02 10 0007 40 00 0000000000000001 fd77', 'seqno-request fd77::/16 0000000000000001 64 7'],
    ['a seqno request that may go nowhere', '0a10 02 10 0007 00 00 0000000000000001 fd77', '1 malformed'],
    ['a TLV of an unknown type', '63 02 0000 0302 0001', 'acknowledgment 1'],
    ['an unknown sub-TLV', '0305 0001 70 01 ff', 'acknowledgment 1'],
    ['an unknown mandatory sub-TLV', '0305 0001 f0 01 ff 0302 0002', 'acknowledgment 2'],
    [
      'a source prefix in an Update, which still says what others leave out',
      `${ROUTER_1} 0816 02 80 40 00 0190 0005 0060 20010db800010000 80020000 080b 02 00 30 05 0190 0005 0060 02`,
      'update 2001:db8:2::/48 0000000000000001 fe80::1 96 5 4000',
    ],
    ['a TLV that is cut off', '0302 0001 0406 0000', 'acknowledgment 1', '1 malformed'],
    ['a sub-TLV that is cut off', '0304 0001 7005', '1 malformed'],
    ['intervals of nothing', '0206 0000 1234 0000 0506 00 00 0060 0000', '2 malformed'],
    ['address encodings of the future', '0506 09 00 0060 04b0 0902 09 00 0702 09 00 080a 09 00 00 00 0190 0005 0060'],
    ['a router-id that nobody may have', `060a 0000 ffffffffffffffff ${UPDATE_A}`, '2 malformed'],
  ]) {
    it(`reads ${name}`, () => {
      assert.deepEqual(read(body), expected);
    });
  }
});

describe('a packet', () => {
  it('is one only with the magic number, the version, and as much body as it says', () => {
    const good = packet('0302 0001');
    assert.equal(readPacket(good, FROM)?.tlvs.length, 1);
    assert.equal(readPacket(packet('0302 0001', '03020002'), FROM)?.tlvs.length, 1, 'the trailer is not read');
    for (const bad of [good.subarray(0, 7), good.subarray(0, 3), good.with(0, 41), good.with(1, 3)]) {
      assert.equal(readPacket(bad, FROM), undefined);
    }
  });
});

// Whatever can be said

const address6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(addressFromBytes);
const linkLocal = fc
  .uint8Array({ minLength: 8, maxLength: 8 })
  .map((id) => addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...id)));
const address4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addressFromBytes);
const near = fc.constantFrom('fd77::1', 'fd77::2:1', 'fd77:0:0:1::1', '2001:db8::').map((text) => parseAddress(text)!);
const prefix6 = fc.tuple(fc.oneof(address6, near), fc.nat(128)).map(([address, length]) => prefixOf(address, length));
const prefix4 = fc.tuple(address4, fc.nat(32)).map(([address, length]) => prefixOf(address, length));
const prefix = fc.oneof(prefix6, prefix4);
const uint16 = fc.nat(0xffff);
const uint32 = fc.nat(0xffff_ffff);
const interval = fc.integer({ min: 1, max: 0xffff }).map((centiseconds) => millis(centiseconds * 10));
const routerId = fc
  .oneof(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.constant(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1)))
  .map((bytes) => Buffer.from(bytes).toString('hex'))
  .filter(isRouterId);
const metric = fc.nat(0xfffe);
const kind = <T extends string>(name: T) => fc.constant(name);

const updateOf = (prefixes: fc.Arbitrary<ReturnType<typeof prefixOf>>, nextHop: fc.Arbitrary<IpAddress>) =>
  fc
    .record({ kind: kind('update'), prefix: prefixes, routerId, nextHop, seqno: uint16, metric, interval })
    .chain((update) => {
      const implied = impliedRouterId(update.prefix.address);
      return fc.constantFrom(update, implied === undefined ? update : { ...update, routerId: implied });
    });
const tlv: fc.Arbitrary<Tlv> = fc.oneof(
  fc.record({ kind: kind('acknowledgment-request'), opaque: uint16, interval }),
  fc.record({ kind: kind('acknowledgment'), opaque: uint16 }),
  fc.record(
    { kind: kind('hello'), isUnicast: fc.boolean(), seqno: uint16, interval, timestamp: uint32 },
    { requiredKeys: ['kind', 'isUnicast', 'seqno', 'interval'] },
  ),
  fc.record(
    {
      ...{ kind: kind('ihu'), rxcost: uint16, interval },
      address: fc.oneof(address6, linkLocal, address4, fc.constant(undefined)),
      timestamps: fc.record({ origin: uint32, receive: uint32 }),
    },
    { requiredKeys: ['kind', 'address', 'rxcost', 'interval'] },
  ),
  updateOf(prefix6, fc.oneof(fc.constant(FROM), linkLocal, address6)),
  updateOf(prefix4, fc.oneof(fc.constant(FROM), linkLocal, address4)),
  fc.record({ kind: kind('retraction'), prefix: fc.oneof(prefix, fc.constant(undefined)) }),
  fc.record({ kind: kind('route-request'), prefix: fc.oneof(prefix, fc.constant(undefined)) }),
  fc.record({
    ...{ kind: kind('seqno-request'), prefix, routerId, seqno: uint16 },
    hopCount: fc.integer({ min: 1, max: 255 }),
  }),
);

/** As many packets as it takes. */
function write(tlvs: readonly Tlv[], maxBytes: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  let writer = new PacketWriter(FROM, maxBytes);
  for (const one of tlvs) {
    if (writer.add(one)) continue;
    packets.push(writer.finish());
    writer = new PacketWriter(FROM, maxBytes);
    assert.ok(writer.add(one));
  }
  return [...packets, writer.finish()];
}

describe('what is written', () => {
  it('is read as what it was, in packets no larger than allowed', () => {
    fc.assert(
      fc.property(fc.array(tlv, { maxLength: 40 }), fc.integer({ min: 80, max: 600 }), (tlvs, maxBytes) => {
        const packets = write(tlvs, maxBytes);
        const results = packets.map((bytes) => readPacket(bytes, FROM));
        for (const result of results) assert.equal(result?.malformed, 0);
        // The generator's objects have no prototype.
        assert.deepEqual(
          results.flatMap((result) => [...(result?.tlvs ?? [])]),
          structuredClone(tlvs),
        );
        for (const bytes of packets) assert.ok(bytes.length <= maxBytes);
      }),
      { numRuns: 1000 },
    );
  });

  it('is small: 26 bytes for a node’s address, with the router-id in it', () => {
    const nodes = Array.from({ length: 30 }, (_, i) => {
      const bytes = Uint8Array.from({ length: 16 }, (_, at) => (at < 2 ? [0xfd, 0x77][at] : (i * 37 + at * 11) & 0xff));
      return prefixOf(addressFromBytes(bytes), 128);
    });
    const writer = new PacketWriter(FROM, 1400);
    for (const node of nodes) {
      const id = impliedRouterId(node.address)!;
      const common = { nextHop: FROM, seqno: 1, metric: 96, interval: millis(16_000) };
      assert.ok(writer.add({ kind: 'update', prefix: node, routerId: id, ...common }));
    }
    assert.equal(writer.finish().length, 4 + 2 + 30 * 26);
  });
});

describe('bytes of a stranger', () => {
  it('are read or not, and never throw', () => {
    const hostile = fc
      .tuple(fc.array(tlv, { maxLength: 6 }), fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 6 }))
      .map(([tlvs, changes]) => {
        const bytes = write(tlvs, 1400)[0];
        for (const [at, value] of changes) if (at < bytes.length && at > 3) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(
        fc.oneof(
          hostile,
          fc.uint8Array({ maxLength: 100 }).map((bytes) => packetOf(bytes)),
        ),
        (bytes) => {
          const result = readPacket(bytes, FROM);
          for (const one of result?.tlvs ?? []) assert.ok(new PacketWriter(FROM, 600).add(one));
        },
      ),
      { numRuns: 3000 },
    );
  });
});

function packetOf(body: Uint8Array): Uint8Array {
  return Uint8Array.of(42, 2, 0, body.length, ...body);
}
