import { spawn, type ChildProcess } from 'node:child_process';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { commandIn } from '../namespaces.ts';

const AGENT = fileURLToPath(new URL(`tcp-agent${extname(import.meta.url)}`, import.meta.url));
const LAST_BYTES_WITHIN_MS = 2000;

export interface TcpLoadPlan {
  /** Namespaces: `from` connects to `to` at `address` and downloads. */
  readonly from: string;
  readonly to: string;
  readonly address: string;
  readonly port: number;
  readonly rate: number | undefined;
}

export interface TcpOutcome {
  readonly bytes: number;
  /** Why the connection ended by itself, if it did. */
  readonly ended: string | undefined;
  /** The longest time without a byte, in milliseconds. */
  readonly longestStall: number;
  /** Whether bytes still came at the end. */
  readonly isAlive: boolean;
}

/** At a point in Unix time, how many bytes had come, and why no more will. */
export interface Progress {
  readonly at: number;
  readonly bytes: number;
  readonly ended?: string;
}

/** A download over one TCP connection. */
export interface Download {
  stop(): TcpOutcome;
}

/** What came of a download that is stopped now. */
export function outcomeOf(progress: readonly Progress[]): TcpOutcome {
  const last = progress.at(-1);
  const moved = progress.filter(({ bytes }, i) => bytes > (progress[i - 1]?.bytes ?? 0)).map(({ at }) => at);
  const stalls = moved.map((at, i) => at - (moved[i - 1] ?? at));
  const lastMovedAt = moved.at(-1) ?? -Infinity;
  return {
    bytes: last?.bytes ?? 0,
    ended: last?.ended,
    longestStall: Math.max(0, ...stalls),
    isAlive: last !== undefined && last.ended === undefined && Date.now() - lastMovedAt <= LAST_BYTES_WITHIN_MS,
  };
}

/** A download with sockets of our own. */
export class TcpLoad implements Download {
  readonly #children: readonly ChildProcess[];
  readonly #progress: Progress[] = [];

  constructor({ from, to, address, port, rate }: TcpLoadPlan) {
    const server = commandIn(to, [process.execPath, AGENT, 'serve', String(port), ...(rate ? [String(rate)] : [])]);
    const client = commandIn(from, [process.execPath, AGENT, 'fetch', address, String(port)]);
    const fetching = spawn(client.file, client.args, { stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface(fetching.stdout).on('line', (line) => this.#progress.push(JSON.parse(line) as Progress));
    this.#children = [fetching, spawn(server.file, server.args, { stdio: 'ignore' })];
  }

  stop(): TcpOutcome {
    for (const child of this.#children) child.kill('SIGKILL');
    return outcomeOf(this.#progress);
  }
}
