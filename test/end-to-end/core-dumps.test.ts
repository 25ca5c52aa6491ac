/** The memory of a daemon holds keys: what the kernel would write of it when it crashes. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { end, Host, until } from '../interop/hosts.ts';
import { startDevice } from '../interop/tunnel.ts';

const WIREMESH = fileURLToPath(new URL('../../bin/wiremesh.js', import.meta.url));
const NO_CORE_DUMPS = /^Max core file size +0 +0 /m;

describe('a daemon dumps no core', () => {
  let host: Host;
  let folder: string;
  const limitsOf = (pid: number | undefined): string => readFileSync(`/proc/${pid}/limits`, 'latin1');

  before(async () => {
    host = await Host.create('cores');
    folder = mkdtempSync(join(tmpdir(), 'wiremesh-cores-'));
  });
  after(async () => {
    await host.close();
    rmSync(folder, { recursive: true });
  });

  it('when it is wireguard-ts', async () => {
    const child = await startDevice(host, `wc${process.pid % 1_000_000}`, 'wireguard-ts');
    assert.match(limitsOf(child.pid), NO_CORE_DUMPS);
    await end(child);
  });

  it('when it is wiremesh', async () => {
    const socket = join(folder, 'api.sock');
    const paths = ['--config', '/dev/null', '--state-dir', join(folder, 'state'), '--socket', socket];
    const child = host.start([process.execPath, WIREMESH, 'up', ...paths]);
    await until('the daemon serves its socket', async () => existsSync(socket), 30_000);
    assert.match(limitsOf(child.pid), NO_CORE_DUMPS);
    await end(child);
  });
});
