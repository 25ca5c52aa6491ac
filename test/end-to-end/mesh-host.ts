/** A host with a `wiremesh up` of its own, in a namespace that a test made. Needs root and /dev/net/tun. */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { queryStatus, WIREMESH } from '../../lab/daemons.ts';
import type { StatusDocument } from '../../src/api/index.ts';
import { end, Host, until } from '../interop/hosts.ts';

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
