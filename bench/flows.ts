/** TCP by iperf3 between the ends of a tunnel. */
import type { ChildProcess } from 'node:child_process';
import { end, type Host } from '../test/interop/hosts.ts';

const PORT = 5201;
/** What iperf3 may take besides the time it measures. */
const GRACE_MS = 30_000;

export interface FlowOptions {
  readonly seconds: number;
  /** How many at once, in each direction. */
  readonly parallel?: number;
  readonly bothWays?: boolean;
  /** Seconds at the start that are not counted: slow start, compilation. */
  readonly warmUp?: number;
}

export interface FlowResult {
  readonly bitsPerSecond: number;
  readonly bytes: number;
}

/** @returns what was received, all flows and directions together */
export async function runFlows(client: Host, server: Host, address: string, options: FlowOptions): Promise<FlowResult> {
  const { seconds, parallel = 1, bothWays = false, warmUp = 1 } = options;
  const listener = await startServer(server, PORT);
  try {
    const argv = ['iperf3', '-J', '-c', address, '-p', PORT, '-t', seconds, '-O', warmUp, '-P', parallel];
    const timeout = (seconds + warmUp) * 1000 + GRACE_MS;
    if (bothWays) argv.push('--bidir');
    const { end: sums } = JSON.parse(await client.run(argv.map(String), { timeout })) as Iperf3Report;
    const directions = [sums.sum_received, ...(bothWays ? [sums.sum_received_bidir_reverse] : [])];
    return {
      bitsPerSecond: directions.reduce((sum, { bits_per_second }) => sum + bits_per_second, 0),
      bytes: directions.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  } finally {
    await end(listener);
  }
}

/** Serves one client. */
export async function startServer(host: Host, port: number): Promise<ChildProcess> {
  const listener = host.start(['iperf3', '-s', '-1', '-p', String(port), '--forceflush']);
  await new Promise<void>((resolve, reject) => {
    listener.stdout?.on('data', (chunk: Buffer) => chunk.includes('listening') && resolve());
    listener.once('exit', (code) => reject(new Error(`the iperf3 server ended with ${code}`)));
  });
  return listener;
}

interface Iperf3Sum {
  readonly bits_per_second: number;
  readonly bytes: number;
}

/** What is read of iperf3's JSON. */
interface Iperf3Report {
  readonly end: { readonly sum_received: Iperf3Sum; readonly sum_received_bidir_reverse: Iperf3Sum };
}
