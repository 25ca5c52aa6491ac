/**
 * What strangers send to the mesh's ports in masses does not keep nodes from finding each other. Needs root, /dev/net/tun
 * and iproute2.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { end, Host, until, wire } from '../interop/hosts.ts';
import { MeshHost } from './mesh-host.ts';

const SENDER = fileURLToPath(new URL('./junk-sender.js', import.meta.url));
const DISCOVERY_PORT = 7077;
const MEASURED_MS = 3000;

const FLOODS = [
  { rate: 20_000, kind: 'noise', port: 7077 },
  { rate: 40_000, kind: 'noise', port: 7099 },
  { rate: 5_000, kind: 'hello', port: 7077 },
  { rate: 5_000, kind: 'hello', port: 7099 },
];

for (const { rate, kind, port } of FLOODS) {
  describe(`a node on port ${port}, to whose beacon port a stranger sends ${rate} datagrams of ${kind} a second`, () => {
    let middle: Host;
    let stranger: Host;
    let victim: MeshHost;
    let newcomer: MeshHost;
    let flood: ChildProcess | undefined;

    before(async () => {
      middle = await Host.create('middle');
      stranger = await Host.create('stranger');
      victim = await MeshHost.create('victim');
      newcomer = await MeshHost.create('newcomer');
      await middle.ip('link', 'add', 'br0', 'type', 'bridge');
      await middle.ip('link', 'set', 'br0', 'up');
      for (const [i, host] of [victim.host, newcomer.host, stranger].entries()) {
        await wire([host, 'eth0'], [middle, `port${i}`]);
        await host.ip('link', 'set', 'eth0', 'up');
        await middle.ip('link', 'set', `port${i}`, 'master', 'br0', 'up');
      }
      await victim.start('', '--port', String(port));
    });
    after(async () => {
      if (flood !== undefined) await end(flood);
      await Promise.all([victim?.close(), newcomer?.close()]);
      await Promise.all([stranger?.close(), middle?.close()]);
    });

    it('is found by a newcomer all the same', async (t) => {
      const target = await victim.linkLocalOf('eth0');
      flood = stranger.start([process.execPath, SENDER, target, String(DISCOVERY_PORT), String(rate), kind]);
      let said = '';
      flood.stdout?.on('data', (text: Buffer) => (said += text.toString()));
      await until('the stranger floods', () => Promise.resolve(said !== ''));
      const before = victim.mainThreadSeconds();
      await delay(MEASURED_MS);
      const share = (victim.mainThreadSeconds() - before) / (MEASURED_MS / 1000);
      t.diagnostic(`${Math.round(share * 100)} % of a core for the main thread`);
      const startedAt = performance.now();
      await newcomer.start();
      await until('they have a tunnel', async () => (await victim.hasTunnels(1)) && newcomer.hasTunnels(1), 60_000);
      t.diagnostic(`found after ${Math.round(performance.now() - startedAt)} ms`);
      assert.equal(flood.exitCode, null);
    });
  });
}
