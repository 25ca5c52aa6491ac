/** Nodes that have nothing in common but a bootstrap host, which does not come back. Needs root, /dev/net/tun, iproute2. */
import assert from 'node:assert/strict';
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Host, until, wire } from '../interop/hosts.ts';
import { MeshHost } from './mesh-host.ts';

const NAMES = ['boot', 'a', 'b'] as const;
type Name = (typeof NAMES)[number];

/** Each is alone on its link behind the router. */
function addressOn(name: Name): string {
  return `198.51.${100 + NAMES.indexOf(name)}.1`;
}

const CONFIG = `bootstrap = ["${addressOn('boot')}:7077"]\n`;

describe('nodes that were killed, as is their bootstrap host', () => {
  const nodes = new Map<Name, MeshHost>();
  let router: Host;

  const node = (name: Name): MeshHost => {
    const found = nodes.get(name);
    assert.ok(found !== undefined);
    return found;
  };
  const memoryOf = (name: Name) => join(node(name).directory, 'state', 'nodes');

  before(async () => {
    router = await Host.create('router');
    await router.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    for (const name of NAMES) {
      const mesh = await MeshHost.create(name);
      nodes.set(name, mesh);
      await wire([router, `to-${name}`], [mesh.host, 'eth0']);
      await router.ip('address', 'add', addressOn(name).replace(/1$/, '254/24'), 'dev', `to-${name}`);
      await router.ip('link', 'set', `to-${name}`, 'up');
      await mesh.host.ip('address', 'add', `${addressOn(name)}/24`, 'dev', 'eth0');
      await mesh.host.ip('link', 'set', 'eth0', 'up');
      await mesh.host.ip('route', 'add', 'default', 'via', addressOn(name).replace(/1$/, '254'));
    }
    await node('boot').start();
    for (const name of ['a', 'b'] as const) await node(name).start(CONFIG);
    await until('all know each other', () => node('a').hasTunnels(2), 60_000);
    const isStored = () => (['a', 'b'] as const).every((name) => existsSync(memoryOf(name)));
    await until('both have stored what they know', () => Promise.resolve(isStored()), 90_000);
    for (const name of NAMES) await node(name).stop('SIGKILL');
  });

  after(async () => {
    for (const mesh of nodes.values()) await mesh.close();
    await router.close();
  });

  it('find each other by what they have kept', async () => {
    for (const name of ['a', 'b'] as const) await node(name).start(CONFIG);
    await node('a').reaches('b');
    await node('b').reaches('a');
    const isSaid = () => /bootstrap 198\.51\.100\.1:7077 does not answer: check the address/.test(node('a').log);
    await until('a says that its bootstrap host is silent', () => Promise.resolve(isSaid()), 20_000);
    assert.deepEqual((await node('a').status())?.bootstraps, [{ endpoint: '198.51.100.1:7077', state: 'silent' }]);
    assert.doesNotMatch(node('a').log, /damaged|cannot be stored/);
  });

  it('start without it where it is damaged or belongs to somebody else, and say so', async () => {
    await node('b').stop();
    writeFileSync(memoryOf('b'), readFileSync(memoryOf('b')).subarray(0, 100));
    await node('b').start(CONFIG);
    assert.match(node('b').log, /state\/nodes is damaged, or of another version: the other nodes are looked for anew/);
    await node('b').stop();
    chownSync(memoryOf('b'), 65_534, 65_534);
    await node('b').start(CONFIG);
    assert.match(node('b').log, /state\/nodes belongs to user 65534, and is not read/);
  });
});
