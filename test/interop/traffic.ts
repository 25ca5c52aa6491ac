/** Traffic between hosts, by the tools that everybody uses: ping and iperf3. */
import type { Host } from './hosts.ts';
import { end } from './hosts.ts';

export interface PingOptions {
  readonly count?: number;
  /** In seconds. */
  readonly interval?: number;
  /** Bytes of payload. The packet may not be fragmented if they are given. */
  readonly size?: number;
  readonly from?: string;
}

/** @returns how many of `count` pings were answered */
export async function ping(from: Host, address: string, options: PingOptions = {}): Promise<number> {
  const { count = 5, interval = 0.2, size } = options;
  const argv = ['ping', '-n', '-c', String(count), '-i', String(interval), '-W', '5'];
  if (size !== undefined) argv.push('-M', 'do', '-s', String(size));
  if (options.from !== undefined) argv.push('-I', options.from);
  const { output } = await from.attempt([...argv, address]);
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
  /** The longest time, in seconds, in which nothing moved. */
  readonly longestStall: number;
}

/** In seconds: fine enough to tell how long a stall was, coarse enough for a busy machine to have sent something. */
const INTERVAL = 0.2;

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
      '-i',
      String(INTERVAL),
      ...(options.reverse ? ['-R'] : []),
    ]);
    const report = JSON.parse(output) as Iperf3Report;
    return {
      receivedBytes: report.end.sum_received.bytes,
      bitsPerSecond: report.end.sum_received.bits_per_second,
      longestStall: longestStall(report),
    };
  } finally {
    await end(listener);
  }
}

function longestStall(report: Iperf3Report): number {
  let longest = 0;
  let stall = 0;
  for (const { sum } of report.intervals) {
    stall = sum.bytes === 0 ? stall + sum.seconds : 0;
    longest = Math.max(longest, stall);
  }
  return longest;
}

/** What is read of iperf3's JSON. */
interface Iperf3Report {
  readonly intervals: readonly { readonly sum: { readonly seconds: number; readonly bytes: number } }[];
  readonly end: { readonly sum_received: { readonly bytes: number; readonly bits_per_second: number } };
}
