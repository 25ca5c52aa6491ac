import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/wiremesh.js', import.meta.url));

/** Runs shell scripts with `wiremesh up` in them, each in network and mount namespaces of its own, which end with it. */
export class UpScripts {
  readonly directory = mkdtempSync(join(tmpdir(), 'wiremesh-up-'));
  readonly state = join(this.directory, 'state');
  readonly socket = join(this.directory, 'api.sock');
  readonly wiremesh = `"${process.execPath}" "${BIN}"`;
  readonly up = `${this.wiremesh} up --config /dev/null --state-dir "${this.state}" --socket "${this.socket}"`;
  readonly status = `${this.wiremesh} status --socket "${this.socket}"`;
  readonly down = `${this.wiremesh} down --socket "${this.socket}"`;
  /** Until the daemon has started: it answers only then. */
  readonly wait = `until [ -S "${this.socket}" ]; do sleep 0.1; done; ${this.status} > /dev/null`;

  run(script: string): { code: number | null; stdout: string; stderr: string } {
    const options = { encoding: 'utf8', timeout: 60_000 } as const;
    const { status, stdout, stderr } = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', script], options);
    return { code: status, stdout, stderr };
  }

  /** Runs `script` beside a daemon that has started; the daemon's exit code comes last. */
  beside(script: string): { lines: string[]; log: string } {
    const { stdout, stderr } = this.run(
      `${this.up} & pid=$!; ${this.wait}; ${script}; wait $pid; echo exit $?; ip -o link show wm0`,
    );
    return { lines: stdout.trimEnd().split('\n'), log: stderr };
  }

  /** Removes what the script before has left. */
  clear(): void {
    for (const name of readdirSync(this.directory)) rmSync(join(this.directory, name), { recursive: true });
  }

  close(): void {
    rmSync(this.directory, { recursive: true });
  }
}
