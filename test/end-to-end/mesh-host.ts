/** A host with a `wiremesh up` of its own, in a namespace that a test made. Needs root and /dev/net/tun. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { queryStatus, WIREMESH } from '../../lab/daemons.ts';
import type { StatusDocument } from '../../src/api/index.ts';
import { end, Host, until } from '../interop/hosts.ts';

const CLOCK_TICKS_PER_SECOND = 100;

export class MeshHost {
  readonly host: Host;
  readonly name: string;
  readonly directory: string;
  /** What its daemons have written. */
  log = '';
  #daemon: ChildProcess | undefined;
  #nodeId = '';

  static async create(name: string): Promise<MeshHost> {
    return new MeshHost(await Host.create(name), name);
  }

  private constructor(host: Host, name: string) {
    this.host = host;
    this.name = name;
    this.directory = mkdtempSync(join(tmpdir(), 'wiremesh-test-'));
  }

  get socket(): string {
    return join(this.directory, 'api.sock');
  }

  /** `config` in TOML. @returns once the daemon answers */
  async start(config = '', ...flags: readonly string[]): Promise<void> {
    const file = join(this.directory, 'wiremesh.toml');
    writeFileSync(file, config);
    const places = ['--state-dir', join(this.directory, 'state'), '--socket', this.socket, '--config', file];
    const command = [process.execPath, WIREMESH, 'up', '--name', this.name, ...places, ...flags];
    const daemon = this.host.start(command);
    for (const stream of [daemon.stdout, daemon.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    }
    this.#daemon = daemon;
    await until(
      `the daemon of ${this.name} answers`,
      async () => {
        if (daemon.exitCode !== null) throw new Error(`the daemon of ${this.name} ended: ${this.log}`);
        return (await this.status()) !== undefined;
      },
      20_000,
    );
  }

  status(): Promise<StatusDocument | undefined> {
    return queryStatus(this.socket);
  }

  async address(): Promise<string> {
    return (await this.status())?.self.address ?? '';
  }

  /** That of its last life, where the daemon does not run. */
  async nodeId(): Promise<string> {
    this.#nodeId = (await this.status())?.self.nodeId ?? this.#nodeId;
    return this.#nodeId;
  }

  async hasTunnels(count: number): Promise<boolean> {
    return ((await this.status())?.nodes ?? []).filter(({ state }) => state === 'up').length >= count;
  }

  async reaches(...names: readonly string[]): Promise<void> {
    await until(
      `${this.name} has a way to ${names.join(', ')}`,
      async () => {
        const nodes = (await this.status())?.nodes ?? [];
        return names.every((name) => nodes.some(({ hostName, path }) => hostName === name && path !== 'none'));
      },
      20_000,
    );
  }

  /** An address of the host's on one link, with the link's number as its zone. */
  async linkLocalOf(link: string): Promise<string> {
    let found: RegExpExecArray | null = null;
    await until(`${link} of ${this.name} has an address`, async () => {
      const addresses = await this.host.ip('-6', '-o', 'address', 'show', 'dev', link, '-tentative');
      return (found = /^(\d+): .*inet6 (fe80::[0-9a-f:]+)/.exec(addresses)) !== null;
    });
    const [, index, address] = found as unknown as RegExpExecArray;
    return `${address}%${index}`;
  }

  /** Seconds of processor time that its main thread has used so far. */
  mainThreadSeconds(): number {
    const pid = this.#daemon?.pid as number;
    // The fields behind the name, which may hold anything (proc(5)).
    const fields = readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  }

  /** It runs no more until `resume`: what it has put up on the host is on its own. */
  pause(): void {
    this.#daemon?.kill('SIGSTOP');
  }

  resume(): void {
    this.#daemon?.kill('SIGCONT');
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#daemon !== undefined) await end(this.#daemon, signal);
    this.#daemon = undefined;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.host.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
