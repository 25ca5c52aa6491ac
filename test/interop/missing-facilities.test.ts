/**
 * A host on which much is missing that is good to have: a user namespace has no real-time priority, no socket buffers
 * beyond the host's limits, and, here, no inotify. Needs root, user namespaces and /dev/net/tun.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { end, until } from './hosts.ts';
import { nextInterfaceName, WIREGUARD_TS } from './tunnel.ts';

const NO_INOTIFY = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"';

function start(...argv: readonly string[]): { readonly child: ChildProcess; output: string } {
  const namespaces = ['--user', '--map-root-user', '--net', 'sh', '-c', NO_INOTIFY, 'sh'];
  const child = spawn('unshare', [...namespaces, process.execPath, WIREGUARD_TS, ...argv], {
    env: { ...process.env, LOG_LEVEL: 'verbose' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const started = { child, output: '' };
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (started.output += chunk.toString()));
  return started;
}

describe('wireguard-ts where inotify is used up, and real-time priority and large buffers are forbidden', () => {
  it('starts in the foreground, says what is missing, and leaves nothing when it ends', async () => {
    const name = nextInterfaceName();
    const socket = `/var/run/wireguard/${name}.sock`;
    const started = start('-f', name);
    try {
      await until(`it serves its socket: ${started.output}`, () =>
        Promise.resolve(/deleting .*\n/.test(started.output)),
      );
      assert.ok(existsSync(socket));
      assert.match(started.output, /deleting .* will not end this process \(inotify: EMFILE\): raise fs\.inotify/);
      assert.match(started.output, /no real-time priority/);
    } finally {
      await end(started.child);
    }
    assert.doesNotMatch(started.output, /^ +at /m);
    assert.ok(!existsSync(socket));
  });

  it('daemonizes', async () => {
    const name = nextInterfaceName();
    const socket = `/var/run/wireguard/${name}.sock`;
    const started = start(name);
    const [exitCode] = (await once(started.child, 'exit')) as [number];
    assert.equal(exitCode, 0, started.output);
    assert.ok(existsSync(socket));
    // The namespace is nobody's but the daemon's, so its process is found by its name.
    const found = spawn('pgrep', ['-f', `wireguard-ts.* ${name}$`], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [pids] = (await once(found.stdout, 'data')) as [Buffer];
    process.kill(Number(pids.toString().split('\n')[0]), 'SIGTERM');
    await until('it has ended', () => Promise.resolve(!existsSync(socket)));
  });
});
