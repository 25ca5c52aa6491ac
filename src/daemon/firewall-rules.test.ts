import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { parseAddress, parsePrefix, type IpAddress, type Prefix } from '../inet/index.ts';
import {
  createNamespace,
  deleteNamespace,
  inNamespace,
  namespacePath,
  putTables,
  removeTable,
} from '../linux/index.ts';
import { firewallOf, type Protected } from './firewall-rules.ts';

const NAMESPACE = 'wmfirewall-rules';
const address = (text: string) => parseAddress(text) as IpAddress;
const prefixes = (...texts: string[]) => texts.map((text) => parsePrefix(text) as Prefix);
const NOTHING: Protected = {
  ...{ link: 'wm0', mark: 0, own: [address('fd77::5')] },
  ...{ imported: [], blocked: [], onLink: [] },
};

/** What nft(8) reads of the tables: the rules of one chain, without their counters. */
function rulesOf(change: Partial<Protected>, family: 4 | 6, chain: string): string[] {
  inNamespace(namespacePath(NAMESPACE), () => putTables(firewallOf({ ...NOTHING, ...change })));
  const name = family === 4 ? 'ip' : 'ip6';
  const argv = ['netns', 'exec', NAMESPACE, 'nft', '-n', 'list', 'chain', name, 'wiremesh-wm0', chain];
  const lines = execFileSync('ip', argv, { encoding: 'utf8' }).split('\n');
  return lines.map((line) => line.trim().replace(/counter packets \d+ bytes \d+ /, '')).slice(2, -3);
}

describe('the firewall of a mesh', () => {
  before(() => createNamespace(NAMESPACE));
  after(() => deleteNamespace(NAMESPACE));

  it('takes nothing for the mesh from other interfaces, neither from its addresses nor to our own', () => {
    const own = [address('fd77::5'), address('10.77.0.5')];
    assert.deepEqual(rulesOf({ own }, 6, 'in'), [
      'type filter hook prerouting priority -300; policy accept;',
      'iifname "wm0" goto tunnel',
      'iifname "lo" accept',
      'ip6 saddr fd77::/16 drop',
      'ip6 daddr fd77::5 drop',
    ]);
    assert.deepEqual(rulesOf({ own }, 4, 'in').slice(3), ['ip daddr 10.77.0.5 drop']);
  });

  it('lets nothing to the mesh out by other interfaces', () => {
    assert.deepEqual(rulesOf({}, 6, 'out'), [
      'type filter hook postrouting priority -300; policy accept;',
      'oifname "wm0" accept',
      'oifname "lo" accept',
      'ip6 daddr fd77::/16 drop',
    ]);
    assert.deepEqual(rulesOf({}, 4, 'out').slice(3), []);
  });

  it('takes nothing with a source in an imported network from other interfaces, but from subnets that are there', () => {
    const change = { imported: prefixes('10.0.0.0/8', '0.0.0.0/0'), onLink: prefixes('10.1.2.0/24', '192.168.1.0/24') };
    assert.deepEqual(rulesOf(change, 4, 'in').slice(3), ['ip saddr 10.1.2.0/24 accept', 'ip saddr 10.0.0.0/8 drop']);
  });

  it('lets packets of a blocked network out that bear the mark, stay on the link, or go to a private subnet there', () => {
    const onLink = prefixes('192.168.1.0/24', '192.0.2.0/24', '10.0.0.0/7');
    assert.deepEqual(rulesOf({ mark: 7077, blocked: prefixes('0.0.0.0/0'), onLink }, 4, 'out').slice(3), [
      'meta mark 0x00001ba5 accept',
      'ip daddr 169.254.0.0/16 accept',
      'ip daddr 224.0.0.0/4 accept',
      'ip daddr 255.255.255.255 accept',
      'ip daddr 192.168.1.0/24 accept',
      'drop',
    ]);
  });

  it('takes no redirect, no router advertisement and no source of nobody out of the tunnel', () => {
    assert.deepEqual(rulesOf({}, 6, 'tunnel'), [
      'ip6 saddr ::/16 drop',
      'ip6 saddr fe80::/10 drop',
      'ip6 saddr ff00::/8 drop',
      'icmpv6 type 133-137 drop',
    ]);
  });

  it('is taken away once, and is not there a second time', () => {
    const remove = () => inNamespace(namespacePath(NAMESPACE), () => removeTable({ family: 6, name: 'wiremesh-wm0' }));
    inNamespace(namespacePath(NAMESPACE), () => putTables(firewallOf(NOTHING)));
    assert.deepEqual([remove(), remove()], [true, false]);
  });
});
