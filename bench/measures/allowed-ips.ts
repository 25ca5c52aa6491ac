import { randomBytes } from 'node:crypto';
import { addressFromBytes, prefixOf } from '../../src/inet/index.ts';
import { AllowedIps } from '../../src/wireguard/index.ts';
import { atMost, type BenchOptions, type Figure, type Measure } from '../measure.ts';

const PREFIXES = 100_000;
/** As many destinations as no cache holds the ways to, and as few as a busy host speaks with. */
const DESTINATIONS = { many: 1 << 16, few: 64 } as const;
const LOOKUPS_PER_SECOND = 2_000_000;
const PACKET_BYTES = 40;

/** Where the destination lies, and how long prefixes are: as in a routing table, mostly not host addresses. */
const FAMILIES = {
  4: { bytes: 4, destination: 16, version: 0x45, lengths: [16, 20, 22, 24, 24, 24, 28, 32] },
  6: { bytes: 16, destination: 24, version: 0x60, lengths: [32, 40, 44, 48, 48, 48, 64, 128] },
} as const;

export const allowedIps: Measure = {
  name: 'allowed-ips',
  description: `one lookup among ${PREFIXES} random prefixes of each family`,
  run: (options) => Promise.resolve(([4, 6] as const).flatMap((family) => lookupTimes(family, options))),
};

function lookupTimes(family: 4 | 6, { rounds, seconds }: BenchOptions): Figure[] {
  const { bytes: length, lengths } = FAMILIES[family];
  const table = new AllowedIps<object>();
  const addresses = new Uint8Array(randomBytes(PREFIXES * length));
  for (let i = 0; i < PREFIXES; i++) {
    const address = addressFromBytes(addresses.slice(i * length, (i + 1) * length));
    table.add(prefixOf(address, lengths[i % lengths.length]), { peer: i % 1000 });
  }
  const lookups = Math.round(LOOKUPS_PER_SECOND * seconds);
  return (['many', 'few'] as const).map((name) => {
    const packets = packetsTo(family, addresses, DESTINATIONS[name]);
    const ours = Array.from({ length: rounds + 1 }, () => measure(table, packets, lookups));
    // The first round was for the compiler.
    const figure = { name: `allowed-ips-ipv${family}-${name}`, unit: 'ns', ours: ours.slice(1) };
    return name === 'many' ? { ...figure, goal: atMost(100) } : figure;
  });
}

/** Headers of `count` packets, every second one to an address that has a prefix. */
function packetsTo(family: 4 | 6, addresses: Uint8Array, count: number): Uint8Array {
  const { bytes: length, destination, version } = FAMILIES[family];
  const packets = new Uint8Array(randomBytes(count * PACKET_BYTES));
  for (let i = 0; i < count; i++) {
    packets[i * PACKET_BYTES] = version;
    if (i % 2 === 0) continue;
    packets.set(addresses.subarray(i * length, (i + 1) * length), i * PACKET_BYTES + destination);
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
