/** One link that takes less than is sent there, and the peers behind others. Needs root and /dev/net/tun. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Host } from './hosts.ts';
import { flood, joinToHub, narrow } from './stuck-star.ts';
import { ping } from './traffic.ts';
import { latestHandshake, setPeer, startEnd, tearDown, type TunnelEnd } from './tunnel.ts';

/** No more, because a machine with much else to do loses packets of 100 before we see them. */
const MEGABITS = 40;
/** So that keys change while the link is stuck. */
const env = { WIREGUARD_TS_TEST_TIMING: 'rekeyAfterTime=1500' };

for (const threads of [1, 2]) {
  describe(`wireguard-ts --threads ${threads} with a link of 1 Mbit/s, and a deep queue, to one of two peers`, () => {
    let hosts: Host[];
    let ends: TunnelEnd[];

    before(async () => {
      hosts = [await Host.create('hub'), await Host.create('stuck'), await Host.create('free')];
      ends = [];
      for (const [number, host] of hosts.entries()) {
        if (number > 0) await joinToHub(hosts[0], host, number);
        ends.push(await startEnd(host, { implementation: 'wireguard-ts', index: number + 1, threads, env }));
      }
      const [hub, ...others] = ends;
      for (const [place, other] of others.entries()) {
        await setPeer(hub, other, { endpoint: `10.0.${place + 1}.2:${51_822 + place}` });
        await setPeer(other, hub, { endpoint: `10.0.${place + 1}.1:51821` });
        assert.equal(await ping(hub.host, other.address4), 5);
      }
      await narrow(hub.host);
    });
    after(() => tearDown(hosts, ends));

    it('loses nothing to the other while far more goes to the first, and renews its keys', async () => {
      const [hub, stuck, free] = ends;
      const flooded = flood(hub.host, stuck.address4, MEGABITS, 8);
      // Within the first second the queue comes to hold more than the kernel lets a socket have on the way.
      const meanwhile = await ping(hub.host, free.address4, { count: 100, interval: 0.01 });
      const keys = await latestHandshake(free);
      const answered = await ping(hub.host, free.address4, { count: 400, interval: 0.01 });
      const newKeys = await latestHandshake(free);
      await flooded;
      assert.deepEqual({ meanwhile, answered }, { meanwhile: 100, answered: 400 });
      assert.ok(newKeys > keys);
    });

    it('opens its port again after the interface was down, whatever sends from it', async () => {
      const [hub, , free] = ends;
      await hub.host.ip('link', 'set', hub.interfaceName, 'down');
      await hub.host.ip('link', 'set', hub.interfaceName, 'up');
      assert.equal(await ping(hub.host, free.address4), 5);
    });
  });
}
