/**
 * TCP throughput of one flow through a tunnel between two namespaces, both ends by the same implementation, ours and
 * Debian's wireguard-go in turn: what else the machine does then falls on both.
 */
import { loadavg } from 'node:os';
import { twoHosts, type Host } from '../test/interop/hosts.ts';
import { iperf3 } from '../test/interop/traffic.ts';
import { closeEnd, openTunnel, type Implementation } from '../test/interop/tunnel.ts';
import { median, spread } from './statistics.ts';

export interface ThroughputComparison {
  readonly measure: 'tcp-throughput';
  /** Load of the machine before the first round: far above 0 the figures say little. */
  readonly loadBefore: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly results: Record<Implementation, ThroughputResult>;
  /** Median of ours by median of theirs. */
  readonly ratio: number;
}

interface ThroughputResult {
  readonly bitsPerSecond: readonly number[];
  readonly median: number;
  /** Largest less smallest, by the median. */
  readonly spread: number;
}

export interface ThroughputOptions {
  readonly rounds: number;
  /** Length of one measurement. */
  readonly seconds: number;
  readonly onRound?: (line: string) => void;
}

const IMPLEMENTATIONS: readonly Implementation[] = ['wireguard-ts', 'wireguard-go'];

export async function compareThroughput({
  rounds,
  seconds,
  onRound,
}: ThroughputOptions): Promise<ThroughputComparison> {
  const loadBefore = loadavg()[0];
  const measured: Record<Implementation, number[]> = { 'wireguard-ts': [], 'wireguard-go': [] };
  const hosts = await twoHosts();
  try {
    for (let round = 1; round <= rounds; round++) {
      for (const implementation of IMPLEMENTATIONS) {
        const bitsPerSecond = await measure(hosts, implementation, seconds);
        measured[implementation].push(bitsPerSecond);
        onRound?.(`round ${round}: ${implementation} ${gigabits(bitsPerSecond)}`);
      }
    }
  } finally {
    for (const host of hosts) await host.close();
  }
  const results = {
    'wireguard-ts': summary(measured['wireguard-ts']),
    'wireguard-go': summary(measured['wireguard-go']),
  };
  const ratio = results['wireguard-ts'].median / results['wireguard-go'].median;
  return { measure: 'tcp-throughput', loadBefore, rounds, seconds, results, ratio };
}

export function formatComparison({ results, ratio, loadBefore, rounds, seconds }: ThroughputComparison): string {
  const lines = IMPLEMENTATIONS.map((implementation) => {
    const { median, spread } = results[implementation];
    return `${implementation.padEnd(14)} ${gigabits(median)}  spread ${(spread * 100).toFixed(0)} %`;
  });
  lines.unshift(
    `TCP, one flow, ${rounds} rounds of ${seconds} s each, medians (load before: ${loadBefore.toFixed(2)})`,
  );
  lines.push(`ratio          ${ratio.toFixed(2)}`);
  return lines.map((line) => `${line}\n`).join('');
}

async function measure(hosts: readonly [Host, Host], implementation: Implementation, seconds: number): Promise<number> {
  const ends = await openTunnel(hosts, { implementations: [implementation, implementation] });
  try {
    const [client, server] = ends;
    return (await iperf3(client.host, server.host, server.address4, { seconds })).bitsPerSecond;
  } finally {
    for (const tunnelEnd of ends) await closeEnd(tunnelEnd);
  }
}

function summary(bitsPerSecond: readonly number[]): ThroughputResult {
  return { bitsPerSecond, median: median(bitsPerSecond), spread: spread(bitsPerSecond) };
}

function gigabits(bitsPerSecond: number): string {
  return `${(bitsPerSecond / 1e9).toFixed(2)} Gbit/s`;
}
