import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { end, until, withFile, type Host } from '../../test/interop/hosts.ts';
import { closeEnd, nextInterfaceName, shown, startEnd, type TunnelEnd } from '../../test/interop/tunnel.ts';
import { startServer } from '../flows.ts';
import { ratioAtLeast, type BenchOptions, type Figure, type Measure } from '../measure.ts';
import { withHosts, type Hosts } from '../tunnels.ts';

const PEER_FARM = fileURLToPath(new URL('../peer-farm.js', import.meta.url));
const COUNTS = [1, 4, 16, 64];
const FIRST_PORT = 5300;
/** What each flow has carried when it has left slow start. */
const UNDER_WAY_BYTES = 1 << 20;
const START_TIMEOUT_MS = 120_000;
/** A flow is ended when all is measured. In seconds. */
const LONG = 3600;

/** A peer of the farm, as it tells about itself. */
export interface FarmPeer {
  readonly publicKey: string;
  readonly address: string;
}

export const peers: Measure = {
  name: 'peers',
  description: `a hub and ${COUNTS.join(', ')} peers, a TCP flow from each at once: throughput in all`,
  run: (options) =>
    withHosts({}, async (hosts) => {
      const measured = COUNTS.map((): number[] => []);
      for (let round = 1; round <= options.rounds; round++) {
        for (const [i, count] of COUNTS.entries()) {
          const bitsPerSecond = await measure(hosts, count, options);
          measured[i].push(bitsPerSecond / 1e9);
          options.onRound(`round ${round}: ${count} peers ${(bitsPerSecond / 1e9).toFixed(2)} Gbit/s`);
        }
      }
      return COUNTS.map((count, i) => figure(count, measured[i], measured[0]));
    }),
};

function figure(count: number, ours: readonly number[], alone: readonly number[]): Figure {
  const plain = { name: `peers-${count}`, unit: 'Gbit/s', ours, at: count };
  if (count === 1) return plain;
  const peer = { name: 'ours with 1 peer', values: alone };
  return count === COUNTS.at(-1) ? { ...plain, peer, goal: ratioAtLeast(0.7) } : { ...plain, peer };
}

/** All other ends are devices of one process: as many processes would measure how two cores share them out. */
async function measure([hubHost, farmHost]: Hosts, count: number, { seconds }: BenchOptions): Promise<number> {
  const hub = await startEnd(hubHost, { implementation: 'wireguard-ts', index: 1 });
  const argv = [PEER_FARM, String(count), nextInterfaceName(), hub.publicKey, hub.endpoint4, hub.address4];
  const farm = farmHost.start([process.execPath, ...argv]);
  const flows: ChildProcess[] = [];
  try {
    let output = '';
    farm.stderr?.pipe(process.stderr);
    for await (const chunk of farm.stdout!) {
      output += String(chunk);
      if (output.endsWith('\n')) break;
    }
    const known = JSON.parse(output) as FarmPeer[];
    await admit(hub, known);
    const listeners = known.map((_, i) => startServer(hubHost, FIRST_PORT + i));
    flows.push(...(await Promise.all(listeners)));
    for (const [i, { address }] of known.entries()) {
      const argv = ['iperf3', '-c', hub.address4, '-p', FIRST_PORT + i, '-B', address, '-t', LONG, '-i', 0];
      flows.push(farmHost.start(argv.map(String)));
    }
    // On crowded cores the last connection is made long after the first.
    await until(`${count} flows are under way`, () => areUnderWay(hub), START_TIMEOUT_MS);
    return await received(hub, seconds);
  } finally {
    await Promise.all([...flows, farm].map((child) => end(child)));
    await closeEnd(hub);
  }
}

async function areUnderWay(hub: TunnelEnd): Promise<boolean> {
  const transfers = [...(await shown(hub, 'transfer')).values()];
  return transfers.every((transfer) => Number(transfer.split('\t')[0]) > UNDER_WAY_BYTES);
}

/**
 * Bits a second that the hub hands to its host, while all flows run. The sum of what each flow says of itself would be
 * too large: they do not start and end together, and the first and the last have the machine to themselves.
 */
async function received({ host, interfaceName }: TunnelEnd, seconds: number): Promise<number> {
  const bytes = async () => Number(await host.run(['cat', `/sys/class/net/${interfaceName}/statistics/rx_bytes`]));
  const [bytesBefore, startedAt] = [await bytes(), performance.now()];
  await sleep(seconds * 1000);
  return ((await bytes()) - bytesBefore) / ((performance.now() - startedAt) / 8000);
}

async function admit({ host, interfaceName }: TunnelEnd, known: readonly FarmPeer[]): Promise<void> {
  const sections = known.map(
    ({ publicKey, address }) => `[Peer]\nPublicKey = ${publicKey}\nAllowedIPs = ${address}/32\n`,
  );
  await withFile(sections.join(''), (file) => host.run(['wg', 'addconf', interfaceName, file]));
  await addRoute(host, interfaceName);
}

async function addRoute(host: Host, interfaceName: string): Promise<void> {
  await host.ip('route', 'add', '10.78.0.0/16', 'dev', interfaceName);
}
