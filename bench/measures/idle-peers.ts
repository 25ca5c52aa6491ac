import { randomBytes } from 'node:crypto';
import { withFile } from '../../test/interop/hosts.ts';
import type { TunnelEnd } from '../../test/interop/tunnel.ts';
import { runFlows } from '../flows.ts';
import { atMost, ratioAtLeast, type Figure, type Measure } from '../measure.ts';
import { contextSwitches, cpuSeconds, residentBytes } from '../process.ts';
import { withHosts, withTunnel } from '../tunnels.ts';

const PEERS = 10_000;
/** With 5 seconds a measurement, the default, the 20 seconds that the goal speaks of. */
const IDLE_LENGTH = 4;
/**
 * After a change of the configuration V8 compiles and collects, some of it 8 seconds later. The measures begin when no
 * thread of the process has run for longer than that, which is seen from its context switches: they measure the daemon
 * that has its peers, not how it got them. Whoever is not quiet after a minute is measured as it is.
 */
const QUIET_MS = 10_000;
const LONGEST_SETTLE_MS = 60_000;
const POLL_MS = 500;

interface Round {
  readonly alone: number;
  readonly crowded: number;
  readonly bytesPerPeer: number;
  readonly idleCpu: number;
}

export const idlePeers: Measure = {
  name: 'idle-peers',
  description: `one active peer among ${PEERS} that are configured on both ends: throughput, memory, CPU when idle`,
  run: ({ rounds, seconds, onRound }) =>
    withHosts({}, async (hosts) => {
      const measured: Round[] = [];
      for (let round = 1; round <= rounds; round++) {
        const alone = await withTunnel(hosts, 'wireguard-ts', (ends) => throughput(ends, seconds));
        const crowded = await withTunnel(hosts, 'wireguard-ts', async (ends) => {
          const bytesPerPeer = await addIdlePeers(ends[1]);
          await addIdlePeers(ends[0]);
          const idleCpu = await cpuWhenIdle(ends[1], seconds * IDLE_LENGTH);
          return { bytesPerPeer, idleCpu, crowded: await throughput(ends, seconds) };
        });
        measured.push({ alone, ...crowded });
        onRound(`round ${round}: ${JSON.stringify(measured.at(-1))}`);
      }
      return figures(measured);
    }),
};

function figures(rounds: readonly Round[]): Figure[] {
  const gigabits = (field: 'alone' | 'crowded') => rounds.map((round) => round[field] / 1e9);
  return [
    {
      name: 'idle-peers-throughput',
      unit: 'Gbit/s',
      ours: gigabits('crowded'),
      peer: { name: 'ours with 1 peer', values: gigabits('alone') },
      goal: ratioAtLeast(0.95),
    },
    { name: 'idle-peers-memory', unit: 'KiB', ours: rounds.map((r) => r.bytesPerPeer / 1024), goal: atMost(4) },
    { name: 'idle-peers-cpu', unit: '% of a core', ours: rounds.map((r) => r.idleCpu * 100), goal: atMost(1) },
  ];
}

async function throughput([client, server]: readonly TunnelEnd[], seconds: number): Promise<number> {
  return (await runFlows(client.host, server.host, server.address4, { seconds })).bitsPerSecond;
}

/** @returns what each made the process grow by */
async function addIdlePeers(tunnelEnd: TunnelEnd): Promise<number> {
  const peers = Array.from({ length: PEERS }, (_, i) => {
    const address = `10.${128 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
    return `[Peer]\nPublicKey = ${randomBytes(32).toString('base64')}\nAllowedIPs = ${address}/32\n`;
  });
  // What is still to be collected of the start would be counted in favour of the peers.
  await settle(tunnelEnd);
  const before = residentBytes(tunnelEnd);
  await withFile(peers.join(''), (file) => tunnelEnd.host.run(['wg', 'addconf', tunnelEnd.interfaceName, file]));
  await settle(tunnelEnd);
  return (residentBytes(tunnelEnd) - before) / PEERS;
}

async function settle(tunnelEnd: TunnelEnd): Promise<void> {
  const deadline = Date.now() + LONGEST_SETTLE_MS;
  let seen = contextSwitches(tunnelEnd);
  for (let quietSince = Date.now(); Date.now() < Math.min(deadline, quietSince + QUIET_MS);) {
    await delay(POLL_MS);
    const switches = contextSwitches(tunnelEnd);
    if (switches !== seen) quietSince = Date.now();
    seen = switches;
  }
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** @returns the part of a core that the process takes while nothing happens */
async function cpuWhenIdle(tunnelEnd: TunnelEnd, seconds: number): Promise<number> {
  const before = cpuSeconds(tunnelEnd);
  await delay(seconds * 1000);
  return (cpuSeconds(tunnelEnd) - before) / seconds;
}
