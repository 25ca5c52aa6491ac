/** What comes out of the tunnel configures nothing on the host. Needs root, /dev/net/tun and iproute2. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { wire } from '../interop/hosts.ts';
import { routerAdvertisement } from './forged-packets.ts';
import { MeshHost } from './mesh-host.ts';

const SENDER = fileURLToPath(new URL('../interop/raw-sender.js', import.meta.url));

describe('the host of a node that believes a gateway for all of IPv6', () => {
  let gateway: MeshHost;
  let client: MeshHost;
  before(async () => {
    gateway = await MeshHost.create('gateway');
    client = await MeshHost.create('client');
    await wire([gateway.host, 'eth0'], [client.host, 'eth0']);
    for (const { host } of [gateway, client]) await host.ip('link', 'set', 'eth0', 'up');
    await gateway.start('[[network]]\nprefix = "::/0"\n');
    await client.start('[[import]]\nprefix = "::/0"\nfrom = "any"\n');
    await client.reaches('gateway');
  });
  after(() => Promise.all([gateway?.close(), client?.close()]));

  it('has an interface without a link-local address, which believes no router', async () => {
    assert.doesNotMatch(await client.host.ip('-6', 'address', 'show', 'dev', 'wm0'), /fe80/);
    const settings = ['accept_ra', 'autoconf', 'accept_redirects'].map((name) => `/proc/sys/net/ipv6/conf/wm0/${name}`);
    assert.equal(await client.host.run(['cat', ...settings]), '0\n0\n0\n');
  });

  it('takes no address and no route from a router advertisement that comes through the tunnel', async () => {
    // As on a host that accepts them by default: the data path has to refuse the packet by itself.
    await client.host.run(['sysctl', '-q', 'net.ipv6.conf.wm0.accept_ra=1', 'net.ipv6.conf.wm0.autoconf=1']);
    const address = await client.address();
    const advertisement = routerAdvertisement({ from: 'fe80::bad', to: address, prefix: '2001:db8:bad::', length: 64 });
    const sent = await gateway.host.run([process.execPath, SENDER, '10', '0', advertisement]);
    assert.equal(sent, '10 sent\n');
    // Whatever the gateway sends after them has come when this is answered.
    await gateway.host.run(['ping', '-6', '-c', '1', '-W', '5', address]);
    assert.doesNotMatch(await client.host.ip('-6', 'address', 'show'), /2001:db8:bad/);
    assert.doesNotMatch(await client.host.ip('-6', 'route', 'show', 'table', 'all'), /2001:db8:bad|fe80::bad/);
  });
});
