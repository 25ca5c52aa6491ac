/** A mesh of which one link takes less than is sent there. Needs root and /dev/net/tun. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { flood, joinToHub, narrow } from '../interop/stuck-star.ts';
import { ping } from '../interop/traffic.ts';
import { MeshHost } from './mesh-host.ts';

/** As in test/interop. */
const MEGABITS = 40;

describe('a node with neighbours on two links, one of which is stuck', () => {
  let nodes: MeshHost[] = [];
  before(async () => {
    nodes = [await MeshHost.create('hub'), await MeshHost.create('stuck'), await MeshHost.create('free')];
    for (const number of [1, 2]) await joinToHub(nodes[0].host, nodes[number].host, number);
    await Promise.all(nodes.map((node) => node.start()));
    await nodes[0].reaches('stuck', 'free');
    await narrow(nodes[0].host);
  });
  after(() => Promise.all(nodes.map((node) => node.close())));

  it('keeps the direct path to the other, and loses nothing there', async () => {
    const [hub, stuck, free] = nodes;
    const address = await free.address();
    const states: unknown[] = [];
    const flooded = flood(hub.host, await stuck.address(), MEGABITS, 12);
    for (let part = 0; part < 10; part++) {
      const answered = await ping(hub.host, address, { count: 100, interval: 0.01 });
      const node = (await hub.status())?.nodes.find(({ hostName }) => hostName === 'free');
      states.push({ answered, state: node?.state, path: node?.path });
    }
    await flooded;
    assert.deepEqual(states, new Array(10).fill({ answered: 100, state: 'up', path: 'direct' }));
    assert.doesNotMatch(hub.log, /free.*(lost|relay)/);
  });
});
