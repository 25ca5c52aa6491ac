/** Traffic between hosts, by the tools that everybody uses: ping and iperf3. */
import type { Host } from './hosts.ts';
import { end } from './hosts.ts';

/** @returns how many of `count` pings were answered */
export async function ping(
  from: Host,
  address: string,
  options: { count?: number; interval?: number } = {},
): Promise<number> {
  const { count = 5, interval = 0.2 } = options;
  const output = await from.run(['ping', '-n', '-c', String(count), '-i', String(interval), '-W', '5', address]);
  return Number(/(\d+) received/.exec(output)?.[1]);
}

export interface Iperf3Options {
  readonly seconds?: number;
  /** The server sends. */
  readonly reverse?: boolean;
}

export interface Iperf3Result {
  readonly receivedBytes: number;
  readonly bitsPerSecond: number;
  /** The seconds of the test in which nothing arrived. */
  readonly stalls: readonly number[];
}

/** One TCP flow from `client` to an iperf3 server that is started for it on `server`. */
export async function iperf3(
  client: Host,
  server: Host,
  address: string,
  options: Iperf3Options = {},
): Promise<Iperf3Result> {
  const listener = server.start(['iperf3', '-s', '-1', '--forceflush']);
  try {
    await new Promise<void>((resolve, reject) => {
      listener.stdout?.on('data', (chunk: Buffer) => chunk.includes('listening') && resolve());
      listener.once('exit', (code) => reject(new Error(`the iperf3 server ended with ${code}`)));
    });
    const output = await client.run([
      'iperf3',
      '-J',
      '-c',
      address,
      '-t',
      String(options.seconds ?? 5),
      ...(options.reverse ? ['-R'] : []),
    ]);
    const report = JSON.parse(output) as Iperf3Report;
    return {
      receivedBytes: report.end.sum_received.bytes,
      bitsPerSecond: report.end.sum_received.bits_per_second,
      stalls: report.intervals.filter(({ sum }) => sum.bytes === 0).map(({ sum }) => sum.start),
    };
  } finally {
    await end(listener);
  }
}

/** What is read of iperf3's JSON. */
interface Iperf3Report {
  readonly intervals: readonly { readonly sum: { readonly start: number; readonly bytes: number } }[];
  readonly end: { readonly sum_received: { readonly bytes: number; readonly bits_per_second: number } };
}
