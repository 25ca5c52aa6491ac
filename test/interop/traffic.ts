/** Traffic between hosts, by the tools that everybody uses: ping and iperf3. */
import type { ChildProcess } from 'node:child_process';
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
  /** At once; one if left out. */
  readonly flows?: number;
}

export interface Iperf3Result {
  readonly receivedBytes: number;
  readonly bitsPerSecond: number;
  /** The longest time, in seconds, in which nothing moved. */
  readonly longestStall: number;
}

/** In seconds: fine enough to tell how long a stall was, coarse enough for a busy machine to have sent something. */
const INTERVAL = 0.2;

/** TCP from `client` to an iperf3 server that is started for it on `server`. */
export async function iperf3(
  client: Host,
  server: Host,
  address: string,
  options: Iperf3Options = {},
): Promise<Iperf3Result> {
  const listener = await iperf3Server(server);
  try {
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
      ...(options.flows === undefined ? [] : ['-P', String(options.flows)]),
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

export interface DatagramResult {
  readonly flows: number;
  readonly packets: number;
  readonly lost: number;
  readonly outOfOrder: number;
}

/** Flows of numbered UDP datagrams of 200 bytes from `sender` to `receiver`, `rate` a second in each. */
export async function datagramFlows(
  sender: Host,
  receiver: Host,
  senderAddress: string,
  { flows, rate, seconds }: { readonly flows: number; readonly rate: number; readonly seconds: number },
): Promise<DatagramResult> {
  const server = await iperf3Server(sender);
  try {
    // In reverse, so that who counts is who reports.
    const argv = ['iperf3', '-J', '-c', senderAddress, '-R', '-u', '-l', '200', '-b', String(rate * 1600)];
    const output = await receiver.run([...argv, '-P', String(flows), '-t', String(seconds)]);
    const { streams } = (JSON.parse(output) as DatagramReport).end;
    const total = (of: 'packets' | 'lost_packets' | 'out_of_order'): number =>
      streams.reduce((sum, { udp }) => sum + udp[of], 0);
    return {
      flows: streams.length,
      packets: total('packets'),
      lost: total('lost_packets'),
      outOfOrder: total('out_of_order'),
    };
  } finally {
    await end(server);
  }
}

async function iperf3Server(host: Host): Promise<ChildProcess> {
  const server = host.start(['iperf3', '-s', '-1', '--forceflush']);
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on('data', (chunk: Buffer) => chunk.includes('listening') && resolve());
    server.once('exit', (code) => reject(new Error(`the iperf3 server ended with ${code}`)));
  });
  return server;
}

interface DatagramReport {
  readonly end: {
    readonly streams: readonly {
      readonly udp: { readonly packets: number; readonly lost_packets: number; readonly out_of_order: number };
    }[];
  };
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
