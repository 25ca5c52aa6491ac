import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { before, describe, it } from 'node:test';
import { formatAddress, formatPrefix, parsePrefix } from '../inet/index.ts';
import { runIpBatch } from './ip-batch.ts';
import { listLinks } from './link-monitor.ts';
import { enterNewNamespace } from './netns.ts';
import { listRoutesTo, listRules, RoutingMonitor } from './routing-monitor.ts';
import { addRule, addTableRoute, type Rule } from './rule.ts';

const ip = (...args: string[]) => execFileSync('ip', args, { encoding: 'utf8' });
const PROTOCOL = 77;
const RULES: readonly Rule[] = [
  { priority: 100, table: 7077, protocol: PROTOCOL },
  { priority: 101, table: 254, protocol: PROTOCOL, withoutDefault: true },
  { priority: 102, table: 7077, protocol: PROTOCOL, unlessMark: 7077 },
  { priority: 103, table: 254, protocol: PROTOCOL, udpSourcePort: 7077 },
];

describe('routes and rules of a host', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  let index: number;

  before(() => {
    // This process runs nothing but this file.
    enterNewNamespace();
    for (const name of ['eth0', 'wm0']) {
      ip('link', 'add', 'name', name, 'type', 'veth', 'peer', 'name', `${name}-far`);
      for (const end of [name, `${name}-far`]) ip('link', 'set', 'dev', end, 'up');
    }
    ip('address', 'add', '10.77.0.5/32', 'dev', 'wm0');
    index = listLinks().find(({ name }) => name === 'wm0')?.index ?? 0;
  });

  it('are listed as they were asked for', async () => {
    const to = { priority: 104, table: 7077, protocol: PROTOCOL, to: parsePrefix('fd77::/16')! };
    await runIpBatch(RULES.map(addRule), { family: 4 });
    await runIpBatch([...RULES, to].map(addRule), { family: 6 });
    const listed = (family: 4 | 6) =>
      listRules().flatMap((entry) => (entry.family === family && entry.protocol === PROTOCOL ? [entry.rule] : []));
    assert.deepEqual(listed(4), RULES);
    assert.deepEqual(listed(6), [...RULES, to]);
  });

  it('are not taken for something simpler that they are not', () => {
    ip('rule', 'add', 'priority', '200', 'from', '192.0.2.0/24', 'table', '7077', 'protocol', '78');
    ip('rule', 'add', 'priority', '201', 'iif', 'eth0', 'table', '7077', 'protocol', '78');
    ip('rule', 'add', 'priority', '202', 'fwmark', '7077', 'table', '7077', 'protocol', '78');
    ip('rule', 'add', 'priority', '203', 'not', 'fwmark', '1/1', 'table', '7077', 'protocol', '78');
    ip('rule', 'add', 'priority', '204', 'table', '254', 'suppress_prefixlength', '8', 'protocol', '78');
    ip('rule', 'add', 'priority', '205', 'unreachable', 'protocol', '78');
    const listed = listRules().filter(({ protocol }) => protocol === 78);
    assert.deepEqual(
      listed.map(({ rule }) => rule),
      Array.from({ length: 6 }, () => undefined),
    );
  });

  it('to one interface are listed whatever table they are in', async () => {
    const ours = { link: 'wm0', table: 7077, protocol: PROTOCOL };
    await runIpBatch([
      addTableRoute({ ...ours, prefix: parsePrefix('0.0.0.0/0')! }),
      addTableRoute({ ...ours, prefix: parsePrefix('fd77::/16')! }),
      addTableRoute({ ...ours, prefix: parsePrefix('198.51.100.0/24')!, link: 'eth0' }),
    ]);
    ip('route', 'add', '203.0.113.0/24', 'dev', 'wm0', 'src', '10.77.0.5');
    const listed = listRoutesTo(index)
      .filter(({ table }) => table !== 255)
      .map(({ prefix, table, protocol, source }) =>
        [formatPrefix(prefix), table, protocol, source === undefined ? '' : formatAddress(source)].join(' '),
      );
    assert.deepEqual(listed.filter((text) => !text.startsWith('fe80') && !text.startsWith('ff00')).sort(), [
      '0.0.0.0/0 7077 77 ',
      '203.0.113.0/24 254 3 10.77.0.5',
      'fd77::/16 7077 77 ',
    ]);
  });

  it('are told of when they go', () => {
    const monitor = new RoutingMonitor();
    ip('rule', 'delete', 'priority', '102');
    ip('route', 'flush', 'table', '7077', 'proto', '77');
    ip('link', 'set', 'wm0', 'down');
    const changes: string[] = [];
    assert.ok(
      monitor.read((change) => {
        if (change.kind === 'rule') changes.push(`rule ${change.removed} ${change.rule.rule?.priority}`);
        if (change.kind === 'route') changes.push(`route ${change.removed} ${formatPrefix(change.route.prefix)}`);
        if (change.kind === 'link') changes.push(`link ${change.link.name} ${change.link.up}`);
      }),
    );
    monitor.close();
    for (const wanted of ['rule true 102', 'route true 0.0.0.0/0', 'link wm0 false']) {
      assert.ok(changes.includes(wanted), `${wanted} among ${changes.join(', ')}`);
    }
  });
});
