import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterEach, before, describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../inet/index.ts';
import { enterNewNamespace } from '../linux/index.ts';
import { ImportRoutes, removeLeftRoutes } from './import-routes.ts';

const PORT = 7077;
const TABLE = 7070;
const EVERYWHERE = parsePrefix('0.0.0.0/0')!;
const EVERYWHERE_IPV6 = parsePrefix('::/0')!;

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

/** Which link a packet takes, and, where it says so, from which address. */
function way(...args: string[]): string {
  const [, link, source] = /dev (\S+).*? src (\S+)/.exec(ip('route', 'get', ...args)) ?? [];
  return `${link} ${source}`;
}

/** What the kernel holds of rules and of routes that are not the namespace's own. */
function everything(): string {
  return ['-4', '-6']
    .map((family) => ip(family, 'rule', 'list') + ip(family, 'route', 'list', 'table', 'all'))
    .join('');
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

/** A host with the link eth0, a default route over it, and an interface wm0 as that of the mesh. */
describe('routes to what is imported', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let untouched: string;

  before(() => {
    // This process runs nothing but this file, and what it starts is in its namespace.
    enterNewNamespace();
    for (const name of ['eth0', 'wm0']) {
      ip('link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', `${name}-far`);
      for (const end of [name, `${name}-far`]) ip('link', 'set', 'dev', end, 'addrgenmode', 'none', 'up');
    }
    ip('link', 'set', 'dev', 'lo', 'up');
    ip('address', 'add', '192.0.2.2/24', 'dev', 'eth0');
    ip('address', 'add', '2001:db8::2/64', 'dev', 'eth0', 'nodad');
    ip('address', 'add', '10.77.0.5/32', 'dev', 'wm0');
    ip('address', 'add', 'fd77::5/128', 'dev', 'wm0', 'nodad');
    ip('route', 'add', 'fd77::/16', 'dev', 'wm0');
    ip('route', 'add', 'default', 'via', '192.0.2.1', 'dev', 'eth0');
    ip('route', 'add', 'default', 'via', '2001:db8::1', 'dev', 'eth0');
    // Somebody else's, which are nobody's business here.
    ip('rule', 'add', 'priority', '32078', 'to', '203.0.113.0/24', 'table', String(TABLE));
    ip('route', 'add', '203.0.113.0/24', 'dev', 'eth0', 'table', String(TABLE));
    untouched = everything();
  });
  afterEach(() => {
    assert.equal(everything(), untouched);
    assert.deepEqual(errors, []);
  });

  const errors: string[] = [];
  function open(families: (4 | 6)[] = [4, 6]): Promise<ImportRoutes> {
    const addresses = [parseAddress('fd77::5')!, parseAddress('10.77.0.5')!];
    const onError = (error: Error) => void errors.push(error.message);
    return ImportRoutes.open({ link: 'wm0', table: TABLE, port: PORT, families, addresses }, onError);
  }

  /** Adds, and waits until the kernel has them. */
  async function withRoutes(check: () => void): Promise<void> {
    const routes = await open();
    routes.add(EVERYWHERE);
    routes.add(EVERYWHERE_IPV6);
    await until(() => ip('-6', 'route', 'list', 'table', String(TABLE)).includes('proto 77'));
    check();
    await routes.close();
  }

  it('lead into the mesh, from the address in the mesh', () =>
    withRoutes(() => {
      assert.equal(way('198.51.100.1'), 'wm0 10.77.0.5');
      assert.equal(way('2001:db8:ffff::1'), 'wm0 fd77::5');
    }));

  it('leave alone what the device sends, and what is on the links of the host', () =>
    withRoutes(() => {
      assert.equal(way('198.51.100.1', 'mark', String(TABLE)), 'eth0 192.0.2.2');
      assert.equal(way('2001:db8:ffff::1', 'mark', String(TABLE)), 'eth0 2001:db8::2');
      assert.equal(way('192.0.2.77'), 'eth0 192.0.2.2');
      assert.equal(way('2001:db8::77'), 'eth0 2001:db8::2');
      assert.equal(way('fd77::77'), 'wm0 fd77::5');
    }));

  it('let in what is sent to the device where the kernel wants it to come by the way back (rp_filter)', () =>
    withRoutes(() => {
      for (const name of ['all', 'eth0']) writeFileSync(`/proc/sys/net/ipv4/conf/${name}/rp_filter`, '1');
      const arrives = (from: string, port: number) => {
        const packet = ['from', from, 'iif', 'eth0', 'ipproto', 'udp', 'sport', '4500', 'dport', String(port)];
        return spawnSync('ip', ['route', 'get', '192.0.2.2', ...packet]).status === 0;
      };
      assert.ok(arrives('198.51.100.1', PORT));
      assert.ok(arrives('192.0.2.77', PORT + 1));
      assert.ok(!arrives('198.51.100.1', PORT + 1));
    }));

  it('can be taken away one by one', async () => {
    const [kept, given] = ['10.77.0.9/32', '198.51.100.0/24'].map((text) => parsePrefix(text)!);
    const inTable = () => ip('route', 'list', 'table', String(TABLE));
    const routes = await open();
    routes.add(given);
    routes.add(kept);
    await until(() => inTable().includes('10.77.0.9'));
    assert.ok(inTable().includes('198.51.100.0/24'));
    routes.remove(given);
    await until(() => !inTable().includes('198.51.100.0/24'));
    assert.ok(inTable().includes('10.77.0.9'));
    await routes.close();
  });

  it('are those of one family where only that is imported', async () => {
    const routes = await open([6]);
    assert.doesNotMatch(ip('-4', 'rule', 'list'), /proto 77/);
    assert.match(ip('-6', 'rule', 'list'), /not from all fwmark .* lookup 7070 proto 77/);
    await routes.close();
  });

  it('that a killed daemon left are removed, and nothing besides, by the next one', async () => {
    for (const table of [TABLE, TABLE + 1]) {
      const options = { link: 'wm0', table, port: PORT, families: [4, 6] as const, addresses: [] };
      const abandoned = await ImportRoutes.open(options, () => assert.fail());
      abandoned.add(EVERYWHERE);
      // A table that is empty does not exist, and cannot be listed.
      await until(() => ip('route', 'list', 'table', 'all').includes(`dev wm0 table ${table} proto 77`));
    }
    await removeLeftRoutes();
  });
});
