/**
 * Hosts for tests and benchmarks: network namespaces joined by veth pairs, made here and removed here. Needs root and
 * iproute2. Names carry the process id, so that runs side by side do not meet.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/** How a command ended, and all that it wrote. */
export interface Outcome {
  readonly exitCode: number;
  readonly output: string;
}

/** A network namespace, and what was started in it. */
export class Host {
  static #created = 0;
  readonly name: string;
  readonly #children = new Set<ChildProcess>();

  static async create(label: string): Promise<Host> {
    const host = new Host(`wmtest-${process.pid}-${Host.#created++}${label}`);
    await ip('netns', 'add', host.name);
    await host.ip('link', 'set', 'lo', 'up');
    return host;
  }

  private constructor(name: string) {
    this.name = name;
  }

  /** `ip` inside the namespace. */
  async ip(...args: string[]): Promise<string> {
    return ip('-n', this.name, ...args);
  }

  /** Runs a command to its end. Rejects with what it wrote if its exit code is not 0. */
  async run(argv: readonly string[], options: { env?: NodeJS.ProcessEnv; timeout?: number } = {}): Promise<string> {
    const running = execFileAsync('ip', ['netns', 'exec', this.name, ...argv], {
      env: { ...process.env, ...options.env },
      timeout: options.timeout ?? 60_000,
      maxBuffer: 64 << 20,
    });
    try {
      return (await running).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${argv.join(' ')} in ${this.name}: ${(error as Error).message}\n${stdout}\n${stderr}`);
    }
  }

  /** Runs a command that may fail. */
  async attempt(argv: readonly string[], options: { timeout?: number } = {}): Promise<Outcome> {
    const child = execFileAsync('ip', ['netns', 'exec', this.name, ...argv], { timeout: options.timeout ?? 60_000 });
    try {
      const { stdout, stderr } = await child;
      return { exitCode: 0, output: stdout + stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { exitCode: code, output: stdout + stderr };
    }
  }

  /** Gives `rules`, in the language of nft(8), to the namespace's firewall. */
  async nft(rules: string): Promise<void> {
    await withFile(rules, (file) => this.run(['nft', '-f', file]));
  }

  /** Starts a command that runs on. It is ended with the host. */
  start(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.name, ...argv], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => end(child)));
    await ip('netns', 'del', this.name);
  }
}

/** Ends a process that was started here, and waits until it has ended. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

/** One end of a wire: the interface's name on that host. */
export type WireEnd = readonly [host: Host, interfaceName: string];

/** Joins two hosts by a veth pair, which is down at first. */
export async function wire([a, nameOfA]: WireEnd, [b, nameOfB]: WireEnd): Promise<void> {
  await ip('link', 'add', nameOfA, 'netns', a.name, 'type', 'veth', 'peer', 'name', nameOfB, 'netns', b.name);
}

/** Two hosts on one wire, `eth0` on both: 192.0.2.1 and .2, 2001:db8::1 and ::2. */
export async function twoHosts(options: { mtu?: number } = {}): Promise<[Host, Host]> {
  const hosts: [Host, Host] = [await Host.create('a'), await Host.create('b')];
  await wire([hosts[0], 'eth0'], [hosts[1], 'eth0']);
  for (const [index, host] of hosts.entries()) {
    await host.ip('address', 'add', `192.0.2.${index + 1}/24`, 'dev', 'eth0');
    await host.ip('address', 'add', `2001:db8::${index + 1}/64`, 'dev', 'eth0', 'nodad');
    await host.ip('link', 'set', 'eth0', 'mtu', String(options.mtu ?? 1500), 'up');
  }
  return hosts;
}

/**
 * Has `use` work with a file that holds `text` and that only root can read. (A child's standard input is a socket in
 * Node, which `wg` cannot open by the name of /dev/stdin.)
 */
export async function withFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'wiremesh-test-'));
  try {
    const path = join(folder, 'file.conf');
    writeFileSync(path, text, { mode: 0o600 });
    return await use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Waits until `isSo` answers true. Rejects, saying `what`, when it does not within `timeout` milliseconds. */
export async function until(what: string, isSo: () => Promise<boolean>, timeout = 10_000): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeout} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function ip(...args: string[]): Promise<string> {
  return (await execFileAsync('ip', args)).stdout;
}
