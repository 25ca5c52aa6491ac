/** The interface in one network namespace, its UDP sockets in that where it was born: `ip link set wg0 netns …`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { Host, twoHosts, until } from './hosts.ts';
import { openTunnel, tearDown, type TunnelEnd } from './tunnel.ts';
import { iperf3, ping } from './traffic.ts';

describe('an interface that is moved to another network namespace', () => {
  let hosts: [Host, Host];
  let inner: Host;
  let ends: [TunnelEnd, TunnelEnd];

  before(async () => {
    hosts = await twoHosts();
    inner = await Host.create('inner');
    ends = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'] });
  });
  after(() => tearDown([...(hosts ?? []), inner], ends));

  /** What the interface loses on the way (`ip-link(8)`: addresses, routes, being up). */
  async function setUp(host: Host, link: string): Promise<void> {
    await host.ip('address', 'add', '10.77.0.1/24', 'dev', link);
    await host.ip('address', 'add', 'fd00:77::1/64', 'dev', link, 'nodad');
    await host.ip('link', 'set', link, 'mtu', '1400', 'up');
  }

  const boundPorts = (host: Host): Promise<string> => host.run(['ss', '-ulnH']);

  it('carries traffic from there through the sockets that it left behind', async () => {
    const [ours, theirs] = ends;
    assert.equal(await ping(ours.host, theirs.address4), 5);
    await ours.host.ip('link', 'set', ours.interfaceName, 'netns', inner.name);
    await setUp(inner, ours.interfaceName);
    assert.equal(await ping(inner, theirs.address4), 5);
    assert.equal(await ping(theirs.host, ours.address6), 5);
    const { receivedBytes } = await iperf3(inner, theirs.host, theirs.address6, { seconds: 1 });
    assert.ok(receivedBytes > 1_000_000);
    assert.match(await boundPorts(ours.host), /:51821 /);
    assert.equal(await boundPorts(inner), '');
    assert.match(await inner.run(['wg', 'show', ours.interfaceName]), /latest handshake/, 'wg finds it from anywhere');
  });

  it('gives its sockets up while it is down there', async () => {
    const [ours, theirs] = ends;
    await inner.ip('link', 'set', ours.interfaceName, 'down');
    await until('there is no socket', async () => (await boundPorts(ours.host)) === '');
    await inner.ip('link', 'set', ours.interfaceName, 'up');
    await until('there is one again', async () => (await boundPorts(ours.host)).includes(':51821 '));
    assert.equal(await ping(inner, theirs.address4), 5);
  });

  it('may come home under another name', async () => {
    const [ours, theirs] = ends;
    await inner.ip('link', 'set', ours.interfaceName, 'netns', ours.host.name, 'name', 'home0');
    await setUp(ours.host, 'home0');
    assert.equal(await ping(ours.host, theirs.address4), 5);
    await ours.host.ip('link', 'set', 'home0', 'down');
    await until('there is no socket', async () => (await boundPorts(ours.host)) === '');
    await ours.host.ip('link', 'set', 'home0', 'netns', inner.name);
    await setUp(inner, 'home0');
    assert.equal(await ping(inner, theirs.address4), 5);
  });

  it('ends its process when it is deleted there', async () => {
    const exited = once(ends[0].child, 'exit');
    await inner.ip('link', 'delete', 'home0');
    assert.deepEqual(await exited, [0, null]);
  });
});

describe('an interface whose process may not look into other namespaces', () => {
  it('carries traffic all the same when it is moved', async (t) => {
    const hosts = await twoHosts();
    const inner = await Host.create('inner');
    // What runs on a host is ended with it.
    t.after(() => tearDown([...hosts, inner]));
    const [ours, theirs] = await openTunnel(hosts, {
      implementations: ['wireguard-ts', 'wireguard-ts'],
      launcher: ['setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'],
    });
    await ours.host.ip('link', 'set', ours.interfaceName, 'netns', inner.name);
    await inner.ip('address', 'add', `${ours.address4}/24`, 'dev', ours.interfaceName);
    await inner.ip('link', 'set', ours.interfaceName, 'up');
    assert.equal(await ping(inner, theirs.address4), 5);
  });
});
