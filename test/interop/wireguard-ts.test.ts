/** The command `wireguard-ts` as its user meets it: what it says, what it leaves running, what ends that. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { Host, until } from './hosts.ts';
import { nextInterfaceName, WIREGUARD_TS, type Implementation } from './tunnel.ts';
import { uapiPath } from './uapi-client.ts';

const COMMANDS: Record<Implementation, readonly string[]> = {
  'wireguard-ts': [process.execPath, WIREGUARD_TS],
  'wireguard-go': ['wireguard-go'],
};
const AS_NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
const WITHOUT_TUN = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$0" "$@"'];

describe('wireguard-ts', () => {
  let host: Host;
  const pids = async (): Promise<number[]> => {
    const output = await host.run(['ip', 'netns', 'pids', host.name]);
    // Less the one that lists them.
    return output
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0 && existsSync(`/proc/${pid}`));
  };
  const hasInterface = async (name: string): Promise<boolean> => (await host.ip('-o', 'link')).includes(`: ${name}: `);
  /** Starts a daemon. @returns its process */
  const start = async (implementation: Implementation, name: string, env: NodeJS.ProcessEnv = {}): Promise<number> => {
    await host.run([...COMMANDS[implementation], name], { env });
    // It has returned, so all of this holds already.
    assert.ok(existsSync(uapiPath(name)));
    assert.ok(await hasInterface(name));
    const [pid] = await pids();
    return pid;
  };
  const assertGone = async (pid: number, name: string): Promise<void> => {
    // Not by /proc: it is init's to bury the dead, in its own time.
    await until('the process has ended', async () => !(await pids()).includes(pid));
    assert.equal(existsSync(uapiPath(name)), false, 'the socket is gone');
    // The kernel may finish what the last descriptor leaves a moment after the process has left its namespace.
    await until('the interface is gone', async () => !(await hasInterface(name)));
  };

  before(async () => {
    host = await Host.create('command');
    await host.ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1');
  });
  after(async () => {
    for (const pid of await pids()) process.kill(pid);
    await host.close();
  });

  for (const [what, exitCode, launcher, args, words] of [
    ['no name', 2, [], [], /missing required argument 'interface'/],
    ['two names', 2, [], ['a', 'b'], /too many arguments/],
    ['an unknown option', 2, [], ['-x', 'a'], /unknown option '-x'/],
    ['a name that is too long', 1, [], ['abcdefghijklmnop'], /"abcdefghijklmnop" cannot be the name/],
    ['a name with a slash', 1, [], ['../wg0'], /"\.\.\/wg0" cannot be the name/],
    ['the name of another interface', 1, [], ['veth0'], /veth0 exists and is not a TUN device: .* choose another name/],
    ['no privilege', 1, AS_NOBODY, ['wg0'], /run as root or with CAP_NET_ADMIN/],
    ['no /dev/net/tun', 1, WITHOUT_TUN, ['wg0'], /\/dev\/net\/tun is missing: run "modprobe tun"/],
  ] as const) {
    for (const mode of ['as a daemon', 'in the foreground']) {
      it(`says in one line what is wrong with ${what}, ${mode}`, async () => {
        const foreground = mode === 'as a daemon' ? [] : ['-f'];
        const outcome = await host.attempt([...launcher, ...COMMANDS['wireguard-ts'], ...foreground, ...args]);
        assert.match(outcome.output, words);
        assert.equal(outcome.output.trim().split('\n').length, 1, outcome.output);
        assert.equal(outcome.exitCode, exitCode);
        await until('nothing runs on', async () => (await pids()).length === 0);
      });
    }
  }

  it('does not take the interface of one that runs', async () => {
    const name = nextInterfaceName();
    const pid = await start('wireguard-ts', name);
    const { exitCode, output } = await host.attempt([...COMMANDS['wireguard-ts'], name]);
    assert.equal(exitCode, 1);
    assert.match(output, /is in use by another program/);
    assert.match(await host.run(['wg', 'show', name]), /listening port|interface/);
    process.kill(pid);
    await assertGone(pid, name);
  });

  it('leaves a daemon that holds nothing of its starter', async () => {
    const name = nextInterfaceName();
    const pid = await start('wireguard-ts', name, { OF_THE_STARTER: 'secret' });
    assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
    for (const fd of [0, 1, 2]) assert.equal(readlinkSync(`/proc/${pid}/fd/${fd}`), '/dev/null');
    assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'utf8'), /OF_THE_STARTER/);
    // Behind the name in parentheses: state, parent, process group, session, terminal (proc(5)).
    const [, , group, session, terminal] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    assert.deepEqual([group, session, terminal], [String(pid), String(pid), '0']);
    process.kill(pid);
    await assertGone(pid, name);
  });

  for (const implementation of ['wireguard-ts', 'wireguard-go'] as const) {
    for (const [what, makeEnd] of [
      ['SIGTERM', async (pid: number) => void process.kill(pid, 'SIGTERM')],
      ['SIGINT', async (pid: number) => void process.kill(pid, 'SIGINT')],
      ['the removal of its socket', async (_pid: number, name: string) => rmSync(uapiPath(name))],
      ['the removal of its interface', async (_pid: number, name: string) => void (await host.ip('link', 'del', name))],
    ] as const) {
      it(`ends by ${what} and leaves nothing behind (${implementation})`, async () => {
        const name = nextInterfaceName();
        const pid = await start(implementation, name);
        await makeEnd(pid, name);
        await assertGone(pid, name);
      });
    }
  }
});
