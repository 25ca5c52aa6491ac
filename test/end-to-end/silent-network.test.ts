/** Networks that stay silent for a reason that can be known, and what is said of it. Needs root, /dev/net/tun, nft. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { until, wire } from '../interop/hosts.ts';
import { MeshHost } from './mesh-host.ts';

const ruleFor = (hook: 'input' | 'output', rule: string) =>
  `table inet site { chain c { type filter hook ${hook} priority 0; ${rule}; }\n}\n`;

describe('two daemons on one link that do not find each other', () => {
  let a: MeshHost;
  let b: MeshHost;

  beforeEach(async () => {
    [a, b] = [await MeshHost.create('a'), await MeshHost.create('b')];
    await wire([a.host, 'eth0'], [b.host, 'eth0']);
    for (const { host } of [a, b]) await host.ip('link', 'set', 'eth0', 'up');
  });
  afterEach(async () => {
    await Promise.all([a?.close(), b?.close()]);
  });

  const says = (host: MeshHost, what: RegExp) =>
    until(`${host.name} says ${what}, not only ${host.log}`, () => Promise.resolve(what.test(host.log)), 20_000);
  const startBoth = (ofA: string, ofB: string) => Promise.all([a.start(ofA), b.start(ofB)]);

  it('say that a firewall drops what comes in, on both sides', async () => {
    await b.host.nft(ruleFor('input', 'udp dport 7077 drop'));
    await startBoth('', '');
    await says(
      b,
      /warning: this node does not hear its own beacons on eth0: a firewall of this host drops UDP port 7077/,
    );
    await says(a, /warning: a node at \[fe80::.*\]:7077 on eth0 is heard and does not answer: a firewall there/);
  });

  it('say that a firewall rejects what goes out', async () => {
    await b.host.nft(ruleFor('output', 'udp sport 7077 reject'));
    await startBoth('', '');
    await says(
      b,
      /warning: the kernel forbids to send to \S+ \(EPERM\): a firewall of this host rejects UDP from port 7077/,
    );
  });

  it('say that the other belongs to another mesh', async () => {
    await startBoth('mesh = "home"', 'mesh = "hmoe"');
    await says(
      a,
      /warning: nodes of another mesh are heard, at .* on eth0: if they should be nodes of "home", compare/,
    );
    await says(b, /warning: nodes of another mesh are heard, .* nodes of "hmoe"/);
  });

  it('say that the other does not trust them', async () => {
    await startBoth('', 'trust = "pinned"');
    await says(a, /warning: b \([0-9a-f]{8}\) answers, but builds no tunnel: it does not trust this node/);
    await says(b, /warning: this node trusts nobody, since no node is pinned/);
    await says(b, /warning: ignored a \(node id [0-9a-f]{56}\): its node id is not pinned/);
  });

  it('say nothing of the kind where all is well', async () => {
    await a.host.nft(ruleFor('input', 'iifname "wm0" udp dport 7078 drop'));
    await startBoth('', '');
    await Promise.all([a.reaches('b'), b.reaches('a')]);
    // In a firewall of the host the mesh's own messages inside the tunnel do not show up.
    await until('the path is direct', async () => (await a.status())?.nodes[0]?.state === 'up');
    assert.doesNotMatch(a.log + b.log, /warning/);
  });
});
