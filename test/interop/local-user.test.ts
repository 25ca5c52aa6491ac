/** What a local user without rights may do to a device of ours: nothing. Needs root and /dev/net/tun. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { end, Host } from './hosts.ts';
import { WIREGUARD_TS } from './tunnel.ts';

const ATTACKER = fileURLToPath(new URL('./tun-attacker.js', import.meta.url));
const EPERM = 1;
/** A /dev/net/tun that everybody may open, as most systems have it: the device itself must be safe. */
const OPEN_TO_ALL =
  'mount -t tmpfs -o mode=755 none /dev/net && mknod /dev/net/tun c 10 200 && chmod 666 /dev/net/tun && exec "$0" "$@"';

describe('a local user', () => {
  let host: Host;
  before(async () => (host = await Host.create('local')));
  after(() => host.close());

  /** Lets several attackers try while `meanwhile` goes on. @returns what they got hold of, and the errors they met */
  const attack = async (name: string, milliseconds: number, meanwhile: () => Promise<void>) => {
    const command = [process.execPath, ATTACKER, name, `${milliseconds}`];
    const attackers = [1, 2, 3].map(() => host.start(['unshare', '--mount', 'sh', '-c', OPEN_TO_ALL, ...command]));
    const outputs = attackers.map(async (attacker) => {
      let output = '';
      attacker.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
      await once(attacker, 'close');
      return JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as { attached: string[]; errors: number[] };
    });
    await meanwhile();
    const results = await Promise.all(outputs);
    return { attached: results.flatMap((each) => each.attached), errors: results.flatMap((each) => each.errors) };
  };

  for (const threads of [1, 2]) {
    it(`does not attach to the device of wireguard-ts --threads ${threads}`, async () => {
      const name = `lu${threads}`;
      const daemon = host.start([process.execPath, WIREGUARD_TS, '-f', '--threads', `${threads}`, name], {
        LOG_LEVEL: 'verbose',
      });
      const [started] = (await once(daemon.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
      assert.match(started.toString(), /device started/);
      const { attached, errors } = await attack(name, 300, () => Promise.resolve());
      assert.deepEqual(attached, []);
      assert.ok(errors.includes(EPERM));
      assert.match(await host.ip('-d', 'link', 'show', name), /user root group root/);
      await end(daemon);
    });
  }

  it('gets hold of no device that is in use, though it is made anew again and again while he tries', async () => {
    const name = 'lu9';
    let said = '';
    const { attached } = await attack(name, 3000, async () => {
      for (let round = 0; round < 4; round++) {
        const daemon = host.start([process.execPath, WIREGUARD_TS, '-f', '--threads', '2', name], {
          LOG_LEVEL: 'verbose',
        });
        daemon.stderr?.on('data', (text: Buffer) => (said += text.toString()));
        await Promise.race([once(daemon.stdout as NodeJS.ReadableStream, 'data'), once(daemon, 'exit')]);
        await end(daemon);
      }
    });
    // Between the making of the device and the setting of its owner there is a moment: who hits it has a device that we refuse.
    if (attached.length > 0) assert.match(said, /another user attached to lu9 while it was made/);
  });
});
