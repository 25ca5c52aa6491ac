import { randomBytes } from 'node:crypto';
import { addressFromBytes, prefixOf } from '../../src/inet/index.ts';
import { AllowedIps } from '../../src/wireguard/index.ts';
import { atMost, type BenchOptions, type Figure, type Measure } from '../measure.ts';

const PREFIXES = 100_000;
/** More destinations than there are prefixes, so that no cache holds the ways to them, and as few as a busy host has. */
const DESTINATIONS = { many: 1 << 17, few: 64 } as const;
const LOOKUPS_PER_SECOND = 2_000_000;
const PACKET_BYTES = 40;

/** As in a routing table, mostly not host addresses; and the addresses of a mesh. */
const TABLES: readonly Table[] = [
  { name: 'ipv4', family: 4, begin: [], lengths: [16, 20, 22, 24, 24, 24, 28, 32] },
  { name: 'ipv6', family: 6, begin: [], lengths: [32, 40, 44, 48, 48, 48, 64, 128] },
  { name: 'fd77', family: 6, begin: [0xfd, 0x77], lengths: [128] },
];

interface Table {
  readonly name: string;
  readonly family: 4 | 6;
  /** The bytes that all addresses begin with. */
  readonly begin: readonly number[];
  readonly lengths: readonly number[];
}

/** Where the destination lies, and the first byte of a packet. */
const HEADERS = { 4: { destination: 16, first: 0x45 }, 6: { destination: 24, first: 0x60 } } as const;

export const allowedIps: Measure = {
  name: 'allowed-ips',
  description: `one lookup among ${PREFIXES} random prefixes of each family`,
  run: (options) => Promise.resolve(TABLES.flatMap((table) => lookupTimes(table, options))),
};

function lookupTimes(table: Table, { rounds, seconds }: BenchOptions): Figure[] {
  const allowedIps = new AllowedIps<object>();
  const owned = Array.from({ length: PREFIXES }, () => randomAddress(table));
  for (const [i, address] of owned.entries()) {
    const length = table.lengths[i % table.lengths.length];
    allowedIps.add(prefixOf(addressFromBytes(address), length), { peer: i % 1000 });
  }
  const lookups = Math.round(LOOKUPS_PER_SECOND * seconds);
  return (['many', 'few'] as const).map((name) => {
    const packets = packetsTo(table, owned, DESTINATIONS[name]);
    const ours = Array.from({ length: rounds + 1 }, () => measure(allowedIps, packets, lookups));
    // The first round was for the compiler.
    const figure = { name: `allowed-ips-${table.name}-${name}`, unit: 'ns', ours: ours.slice(1) };
    return name === 'many' ? { ...figure, goal: atMost(100) } : figure;
  });
}

function randomAddress({ family, begin }: Table): Uint8Array {
  const address = new Uint8Array(randomBytes(family === 4 ? 4 : 16));
  address.set(begin);
  return address;
}

/** Headers of `count` packets, every second one to an address that has a prefix. */
function packetsTo(table: Table, owned: readonly Uint8Array[], count: number): Uint8Array {
  const { destination, first } = HEADERS[table.family];
  const packets = new Uint8Array(count * PACKET_BYTES);
  for (let i = 0; i < count; i++) {
    packets[i * PACKET_BYTES] = first;
    const address = i % 2 === 0 ? randomAddress(table) : owned[i % owned.length];
    packets.set(address, i * PACKET_BYTES + destination);
  }
  return packets;
}

function measure(table: AllowedIps<object>, packets: Uint8Array, lookups: number): number {
  const mask = packets.length / PACKET_BYTES - 1;
  let found = 0;
  const start = process.hrtime.bigint();
  for (let i = 0; i < lookups; i++) {
    if (table.lookupDestination(packets, (i & mask) * PACKET_BYTES) !== undefined) found++;
  }
  const elapsed = Number(process.hrtime.bigint() - start);
  if (found < lookups / 3) throw new Error(`only ${found} of ${lookups} addresses were found`);
  return elapsed / lookups;
}
