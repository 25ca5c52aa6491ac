import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { commandIn } from '../namespaces.ts';
import { outcomeOf, type Download, type Progress, type TcpLoadPlan, type TcpOutcome } from './tcp-load.ts';

const RETRY_INTERVAL_MS = 200;
const CONNECT_TIMEOUT_MS = 1000;
const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Bytes that a line of iperf3 tells for its interval: `[  5]   0.00-0.10   sec  1.00 MBytes  83886 Kbits/sec`. */
export function readInterval(line: string): number | undefined {
  const match = /^\[ *\d+\] +[\d.]+-[\d.]+ +sec +([\d.]+) ([KMG]?)Bytes/.exec(line);
  return match === null ? undefined : Math.round(Number(match[1]) * UNITS[match[2]]);
}

/** A download by iperf3. */
export class Iperf3Load implements Download {
  readonly #plan: TcpLoadPlan;
  readonly #server: ChildProcess;
  readonly #progress: Progress[] = [];
  #client: ChildProcess;
  #retry: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(plan: TcpLoadPlan) {
    this.#plan = plan;
    const { file, args } = commandIn(plan.to, ['iperf3', '--server', '--port', String(plan.port)]);
    this.#server = spawn(file, args, { stdio: 'ignore' });
    this.#client = this.#connect();
  }

  stop(): TcpOutcome {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    for (const child of [this.#client, this.#server]) child.kill('SIGKILL');
    return outcomeOf(this.#progress);
  }

  #connect(): ChildProcess {
    const { from, address, port, rate } = this.#plan;
    const { file, args } = commandIn(from, [
      ...['iperf3', '--client', address, '--port', String(port), '--connect-timeout', String(CONNECT_TIMEOUT_MS)],
      ...['--reverse', '--time', '0', '--interval', '0.1', '--forceflush'],
      ...(rate === undefined ? [] : ['--bitrate', String(rate)]),
    ]);
    const client = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let words = '';
    client.stderr.on('data', (chunk: Buffer) => (words = chunk.toString().trim()));
    createInterface(client.stdout).on('line', (line) => this.#hear(line));
    client.once('close', () => this.#handleEnd(words));
    return client;
  }

  #hear(line: string): void {
    const bytes = readInterval(line);
    if (bytes !== undefined) this.#progress.push({ at: Date.now(), bytes: this.#bytes() + bytes });
  }

  #handleEnd(words: string): void {
    if (this.#isStopped) return;
    if (this.#bytes() > 0) this.#progress.push({ at: Date.now(), bytes: this.#bytes(), ended: words });
    // The other end, or the way there, is not ready yet.
    else this.#retry = setTimeout(() => (this.#client = this.#connect()), RETRY_INTERVAL_MS);
  }

  #bytes(): number {
    return this.#progress.at(-1)?.bytes ?? 0;
  }
}
