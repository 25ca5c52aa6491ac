/** A host on which somebody switched IPv6 off. Needs root, /dev/net/tun and iproute2. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { wire } from '../interop/hosts.ts';
import { ping } from '../interop/traffic.ts';
import { MeshHost } from './mesh-host.ts';

describe('a host without IPv6, as in a container of Docker', () => {
  let container: MeshHost;
  let other: MeshHost;
  const all = ['net.ipv6.conf.all.disable_ipv6', 'net.ipv6.conf.default.disable_ipv6'];

  before(async () => {
    container = await MeshHost.create('container');
    other = await MeshHost.create('other');
    await container.host.run(['sysctl', '-q', ...all.map((name) => `${name}=1`)]);
    await wire([container.host, 'eth0'], [other.host, 'eth0']);
    for (const [i, { host }] of [container, other].entries()) {
      await host.ip('address', 'add', `192.168.7.${i + 1}/24`, 'dev', 'eth0');
      await host.ip('link', 'set', 'eth0', 'up');
    }
    await other.start();
    await container.start('bootstrap = ["192.168.7.2:7077"]\n');
  });
  after(() => Promise.all([container?.close(), other?.close()]));

  it('joins the mesh over IPv4, with IPv6 on the interface of the mesh alone', async () => {
    await Promise.all([container.reaches('other'), other.reaches('container')]);
    assert.equal(await ping(other.host, await container.address(), { count: 3 }), 3);
    assert.equal(await ping(container.host, await other.address(), { count: 3 }), 3);
    assert.match(container.log, /IPv6 is off on this host: switched on for wm0 alone/);
    assert.equal(await container.host.run(['sysctl', '-n', all[0]]), '1\n');
  });
});
