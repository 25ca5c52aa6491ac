import assert from 'node:assert/strict';
import {
  PacketWriter,
  readPacket,
  Speaker,
  type InterfaceOptions,
  type Limits,
  type Tlv,
} from '../../src/babel/index.ts';
import { formatAddress, formatPrefix, parseAddress, parsePrefix, type IpAddress } from '../../src/inet/index.ts';
import { after, millis } from '../../src/machine/index.ts';
import { Random } from './random.ts';
import { readFrames, writeFrames, type Target } from './target.ts';

const address = (text: string): IpAddress => parseAddress(text)!;
const prefix = (text: string) => parsePrefix(text)!;

const OWN = address('fe80::1');
const FRIEND = address('fe80::2');
const STRANGER = address('fe80::3');
const FAR = prefix('fd77::7/128');
const interval = millis(4000);
const update = { kind: 'update', nextHop: FRIEND, seqno: 1, interval } as const;

/** Two of these make a neighbour that can be talked to. */
const acquaintance = (seqno: number): readonly Tlv[] => [
  { kind: 'hello', isUnicast: false, seqno, interval, timestamp: seqno },
  { kind: 'ihu', address: OWN, rxcost: 96, interval, timestamps: { origin: 1, receive: 2 } },
];
const announcements: readonly Tlv[] = [
  { ...update, prefix: FAR, routerId: '0000000000000007', metric: 96 },
  { ...update, prefix: prefix('fd77::8/128'), routerId: '0000000000000008', metric: 0 },
  { ...update, prefix: prefix('2001:db8::/32'), routerId: '0000000000000008', metric: 300, seqno: 0xffff },
  { ...update, prefix: prefix('192.0.2.0/24'), routerId: '0000000000000009', metric: 1 },
  { ...update, prefix: prefix('192.0.2.0/25'), nextHop: address('192.0.2.9'), routerId: '0000000000000009', metric: 1 },
];
const requests: readonly Tlv[] = [
  { kind: 'route-request', prefix: undefined },
  { kind: 'route-request', prefix: FAR },
  { kind: 'seqno-request', prefix: FAR, routerId: '0000000000000007', seqno: 2, hopCount: 64 },
  { kind: 'seqno-request', prefix: prefix('fd77::1/128'), routerId: '0000000000000001', seqno: 9, hopCount: 2 },
  { kind: 'acknowledgment-request', opaque: 7, interval: millis(100) },
  { kind: 'acknowledgment', opaque: 8 },
];
const retractions: readonly Tlv[] = [
  { kind: 'retraction', prefix: FAR },
  { kind: 'retraction', prefix: undefined },
];

function packetOf(tlvs: readonly Tlv[]): Uint8Array {
  const writer = new PacketWriter(FRIEND, 1400);
  for (const tlv of tlvs) writer.add(tlv);
  return writer.finish();
}

const seeds = [
  packetOf(acquaintance(1)),
  packetOf([...acquaintance(2), ...announcements]),
  packetOf(requests),
  packetOf(retractions),
  // A Hello with padding, an unknown and an unknown mandatory sub-TLV.
  Uint8Array.of(42, 2, 0, 17, 4, 15, 0, 0, 0, 2, 1, 0x90, 0, 1, 2, 0, 0, 0x70, 0, 0xf0, 0),
];
const tokens = [
  [0xff, 0xff],
  [0x80, 0],
  [42, 2],
  [0xf0, 0],
  [8, 10],
  [0xfe, 0x80],
].map((bytes) => Uint8Array.from(bytes));

/** A packet is read or not; what was read, written again, is read as the same. */
export const babelPacketTarget: Target = {
  name: 'babel-packet',
  share: 10,
  seeds,
  tokens,
  outcomes: ['none', 'all read', 'some malformed'],
  run(bytes) {
    const packet = readPacket(bytes, FRIEND);
    if (packet === undefined) return 'none';
    const writer = new PacketWriter(FRIEND, 0xffff);
    for (const tlv of packet.tlvs) assert.ok(writer.add(tlv));
    assert.deepEqual(readPacket(writer.finish(), FRIEND)?.tlvs, packet.tlvs);
    return packet.malformed > 0 ? 'some malformed' : 'all read';
  },
};

/** Circumstances of a packet. */
const FROM_STRANGER = 1;
const LATER = 2;
const MUCH_LATER = 4;

const LIMITS: Limits = {
  ...{ neighboursPerInterface: 2, routesPerNeighbour: 6, sources: 8 },
  ...{ pendingRequests: 2, pendingAcknowledgments: 2 },
};

/**
 * Whatever neighbours say: the tables stay within their bounds, routes are reported in order and lead to who announced
 * them, nothing is announced that is not known, and it comes to rest.
 */
export const babelSpeakerTarget: Target = {
  name: 'babel-speaker',
  share: 2,
  seeds: [
    writeFrames([...seeds, seeds[1], seeds[2]].map((bytes) => ({ circumstances: LATER, bytes }))),
    writeFrames(
      seeds.flatMap((bytes) => [0, FROM_STRANGER | LATER].map((circumstances) => ({ circumstances, bytes }))),
    ),
  ],
  tokens,
  outcomes: ['routes', 'no routes'],
  run(input) {
    const observer = new Observer();
    let now = millis(0);
    for (const { circumstances, bytes } of readFrames(input, 12)) {
      if ((circumstances & LATER) !== 0) now = observer.pass(now, 500);
      if ((circumstances & MUCH_LATER) !== 0) now = observer.pass(now, 20_000);
      const from = (circumstances & FROM_STRANGER) === 0 ? FRIEND : STRANGER;
      observer.speaker.handlePacket('link', from, bytes, now);
      observer.drain();
    }
    return observer.hasSeenRoutes ? 'routes' : 'no routes';
  },
};

class Observer {
  readonly speaker: Speaker;
  hasSeenRoutes = false;
  readonly #routes = new Map<string, 'way' | 'unreachable'>();

  constructor() {
    const random = new Random(5, 5);
    const chance = (): number => random.uint32() / 0x1_0000_0000;
    this.speaker = new Speaker({ routerId: '0000000000000001', seqno: 1, chance, limits: LIMITS });
    const link: InterfaceOptions = { id: 'link', kind: 'wired', discovery: 'multicast', mtu: 600, address: OWN };
    this.speaker.addInterface(link, millis(0));
    this.speaker.announce(prefix('fd77::1/128'), 0, millis(0));
    this.drain();
  }

  /** Lets time pass as its owner would. */
  pass(now: ReturnType<typeof millis>, length: number): ReturnType<typeof millis> {
    const end = after(now, millis(length));
    for (let steps = 0; ; steps++) {
      assert.ok(steps < 10_000, 'it does not come to rest');
      const next = this.speaker.nextTimeout();
      if (next === undefined || next > end) return end;
      this.speaker.handleTimeout(millis(Math.max(next, now)));
      this.drain();
    }
  }

  drain(): void {
    for (let output = this.speaker.poll(); output !== undefined; output = this.speaker.poll()) {
      if (output.kind === 'send') {
        assert.ok(output.packet.length <= 600 - 48, `a packet of ${output.packet.length} bytes`);
        assert.equal(readPacket(output.packet, OWN)?.malformed, 0);
        continue;
      }
      const key = formatPrefix(output.prefix);
      const known = this.#routes.get(key);
      if (output.kind === 'route-added') assert.notEqual(known, 'way', 'added twice');
      if (output.kind === 'route-changed') assert.equal(known, 'way', 'changed before it was added');
      if (output.kind === 'route-unreachable') assert.equal(known, 'way', 'unreachable before it was added');
      if (output.kind === 'route-removed') assert.notEqual(known, undefined, 'removed before it was added');
      if (output.kind === 'route-removed') this.#routes.delete(key);
      else this.#routes.set(key, output.kind === 'route-unreachable' ? 'unreachable' : 'way');
      this.hasSeenRoutes = true;
    }
    this.#assertBounded();
  }

  #assertBounded(): void {
    const neighbours = this.speaker.neighbours();
    assert.ok(neighbours.length <= LIMITS.neighboursPerInterface);
    for (const { routeCount } of neighbours) assert.ok(routeCount <= LIMITS.routesPerNeighbour);
    const selected = this.speaker.routes().filter(({ isSelected }) => isSelected);
    for (const { isFeasible, metric } of selected) assert.ok(isFeasible && metric < 0xffff);
    const followed = [...this.#routes].filter(([, way]) => way === 'way').map(([key]) => key);
    assert.deepEqual(selected.map((route) => formatPrefix(route.prefix)).sort(), followed.sort());
    const names = neighbours.map((neighbour) => formatAddress(neighbour.address));
    for (const { neighbour } of selected) assert.ok(names.includes(formatAddress(neighbour)));
  }
}
