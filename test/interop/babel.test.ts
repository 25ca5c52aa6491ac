/** Our Babel speaker with Debian's babeld and BIRD as neighbours, on an Ethernet link and through a WireGuard tunnel. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BabelSpeakerSettings } from './babel-speaker.ts';
import { end, twoHosts, until, type Host } from './hosts.ts';
import { ping } from './traffic.ts';
import { openTunnel, setPeer, tearDown, type TunnelEnd } from './tunnel.ts';

const BABEL_SPEAKER = fileURLToPath(new URL('babel-speaker.js', import.meta.url));

/** What either side announces; .1 and ::1 of each is its own. */
const OURS = { node: 'fd77::a', network: '2001:db8:a::/64', ipv4: '198.51.100.10/32' };
const THEIRS = { node: 'fd77::b', network: '2001:db8:b::/64', ipv4: '198.51.100.11/32' };

/** In milliseconds; theirs are as short. */
const TIMING = { shortHelloInterval: 200, helloInterval: 500, updateInterval: 2000 } as BabelSpeakerSettings['timing'];

/** One end of the link that Babel is spoken on. */
interface Place {
  readonly host: Host;
  readonly link: string;
}

interface Peer {
  readonly name: string;
  /** Their configuration, for the link of that name; and how they are started with a file of it. */
  readonly configuration: (link: string, folder: string) => string;
  readonly command: (file: string, folder: string) => readonly string[];
  /** Whether they know RFC 9229. */
  readonly speaksV4ViaV6: boolean;
}

const PEERS: readonly Peer[] = [
  {
    name: 'babeld',
    configuration: (link) =>
      [
        'skip-kernel-setup true',
        `interface ${link} type wired hello-interval 0.5 update-interval 2 enable-timestamps true`,
        ...[`${THEIRS.node}/128`, THEIRS.ipv4].map((prefix) => `redistribute local ip ${prefix} allow`),
        'redistribute local deny',
        `redistribute ip ${THEIRS.network} eq 64 proto 2 allow`,
        'redistribute deny',
      ].join('\n'),
    command: (file, folder) => ['babeld', '-c', file, '-I', '', '-S', join(folder, 'state')],
    speaksV4ViaV6: true,
  },
  {
    name: 'BIRD',
    configuration: (link) =>
      [
        'router id 192.0.2.2;',
        'protocol device { scan time 1; }',
        'protocol kernel { ipv6 { export where source = RTS_BABEL; }; }',
        'protocol kernel { ipv4 { export where source = RTS_BABEL; }; }',
        'protocol direct { ipv4; ipv6; interface "lo", "stub0"; }',
        'protocol babel {',
        '  ipv4 { import all; export where net ~ [198.51.100.0/24+]; };',
        '  ipv6 { import all; export where net ~ [fd77::/16+, 2001:db8:b::/64]; };',
        `  interface "${link}" { type wired; hello interval 500 ms; update interval 2 s; };`,
        '}',
      ].join('\n'),
    command: (file, folder) => ['bird', '-f', '-c', file, '-s', join(folder, 'control'), '-P', join(folder, 'pid')],
    speaksV4ViaV6: false,
  },
];

for (const peer of PEERS) {
  describe(`${peer.name} as a neighbour`, () => {
    for (const over of ['Ethernet', 'WireGuard'] as const) describeNeighbour(peer, over);
  });
}

function describeNeighbour(peer: Peer, over: 'Ethernet' | 'WireGuard'): void {
  describe(`over ${over}`, () => {
    let hosts: [Host, Host];
    let ends: [TunnelEnd, TunnelEnd] | undefined;
    let ours: Place;
    let theirs: Place;
    let folder: string;
    let ourSpeaker: ChildProcess;
    let theirDaemon: ChildProcess;
    let lines = '';

    before(async () => {
      folder = mkdtempSync(join(tmpdir(), 'wiremesh-babel-'));
      hosts = await twoHosts();
      if (over === 'WireGuard') ends = await openTunnelForAll(hosts);
      const links = ends?.map(({ interfaceName }) => interfaceName) ?? ['eth0', 'eth0'];
      [ours, theirs] = hosts.map((host, i) => ({ host, link: links[i] }));
      await prepare(ours, 'fe80::a', OURS);
      await prepare(theirs, 'fe80::b', THEIRS);
      writeFileSync(join(folder, 'conf'), `${peer.configuration(theirs.link, folder)}\n`);
      ourSpeaker = startOurs();
      theirDaemon = startTheirs();
    });
    after(async () => {
      await tearDown(hosts, ends);
      rmSync(folder, { recursive: true });
    });

    function startOurs(): ChildProcess {
      const link = { id: ours.link, kind: 'wired', mtu: 1420, discovery: 'multicast', address: 'fe80::a' } as const;
      // If we had none on this link, theirs would learn IPv4 routes by way of IPv6.
      const ipv4 = ends === undefined ? '192.0.2.1' : '10.77.0.1';
      const ipv4Address = ends !== undefined && peer.speaksV4ViaV6 ? {} : { ipv4Address: ipv4 };
      const prefixes = [`${OURS.node}/128`, OURS.network, OURS.ipv4];
      const settings: BabelSpeakerSettings = { prefixes, timing: TIMING, links: [{ ...link, ...ipv4Address }] };
      return collect(ours.host.start([process.execPath, BABEL_SPEAKER, JSON.stringify(settings)]));
    }

    function startTheirs(): ChildProcess {
      return collect(theirs.host.start(peer.command(join(folder, 'conf'), folder)));
    }

    function collect(child: ChildProcess): ChildProcess {
      for (const stream of [child.stdout, child.stderr])
        stream?.on('data', (chunk: Buffer) => (lines += String(chunk)));
      return child;
    }

    async function untilSaid(what: string, isSo: () => Promise<boolean>, timeout?: number): Promise<void> {
      await until(what, isSo, timeout).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${lines.slice(-3000)}`);
      });
    }

    const weKnow = () => knows(ours, [`${THEIRS.node}/128`, THEIRS.network, THEIRS.ipv4]);
    const theyKnow = () => knows(theirs, [`${OURS.node}/128`, OURS.network, OURS.ipv4]);
    const bothKnow = async () => (await weKnow()) === 'all' && (await theyKnow()) === 'all';

    it('learns our routes, and we theirs, and packets follow them', async () => {
      await untilSaid('both know', bothKnow, 15_000);
      assert.equal(await ping(ours.host, THEIRS.node, { count: 2, from: OURS.node }), 2);
      assert.equal(await ping(theirs.host, OURS.node, { count: 2, from: THEIRS.node }), 2);
    });

    it('measures the delay with us, if it has timestamps', async () => {
      await untilSaid(
        'there is a measure',
        async () => peer.name === 'BIRD' || /neighbour \S+ 96 [0-9.]+\n/.test(lines),
      );
    });

    it('survives a cut of the link, as we do', async () => {
      await ours.host.nft(
        'table inet cut { chain input { type filter hook input priority 0; udp dport 6696 drop; }; }',
      );
      await theirs.host.nft(
        'table inet cut { chain input { type filter hook input priority 0; udp dport 6696 drop; }; }',
      );
      await untilSaid(
        'neither knows',
        async () => (await weKnow()) === 'none' && (await theyKnow()) === 'none',
        15_000,
      );
      for (const { host } of [ours, theirs]) await host.nft('delete table inet cut;');
      await untilSaid('both know again', bothKnow, 15_000);
    });

    it('is forgotten when it goes, and comes back', async () => {
      await end(theirDaemon);
      await untilSaid('we know nothing', async () => (await weKnow()) === 'none', 5000);
      theirDaemon = startTheirs();
      await untilSaid('both know again', bothKnow, 15_000);
    });

    it('hears our goodbye', async () => {
      const exited = once(ourSpeaker, 'exit');
      ourSpeaker.kill('SIGTERM');
      await untilSaid('they know nothing', async () => (await theyKnow()) === 'none', 3000);
      assert.deepEqual(await exited, [0, null]);
      assert.equal(await weKnow(), 'none');
      assert.doesNotMatch(lines, /malformed/);
    });
  });
}

/** A tunnel that carries whatever its peer sends, multicast too. */
async function openTunnelForAll(hosts: [Host, Host]): Promise<[TunnelEnd, TunnelEnd]> {
  const ends = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-go'] });
  for (const [i, own] of ends.entries()) await setPeer(own, ends[1 - i], { allowedIps: ['0.0.0.0/0', '::/0'] });
  return ends;
}

/** Gives the link its only link-local address, and the host what it announces: its own address, and a network on `stub0`. */
async function prepare({ host, link }: Place, linkLocal: string, { node, network, ipv4 }: typeof OURS): Promise<void> {
  await host.run(['ip', '-6', 'address', 'flush', 'dev', link, 'scope', 'link']);
  await host.ip('address', 'add', `${linkLocal}/64`, 'dev', link, 'nodad');
  await host.ip('address', 'add', `${node}/128`, 'dev', 'lo');
  await host.ip('address', 'add', ipv4, 'dev', 'lo');
  await host.ip('link', 'add', 'stub0', 'type', 'veth', 'peer', 'name', 'stub1');
  await host.ip('address', 'add', network.replace('::/', '::1/'), 'dev', 'stub0', 'nodad');
  for (const stub of ['stub0', 'stub1']) await host.ip('link', 'set', stub, 'up');
}

/** How many of the prefixes there is a way to by a neighbour. */
async function knows({ host, link }: Place, prefixes: readonly string[]): Promise<'all' | 'some' | 'none'> {
  const routes = await host.run(['ip', '-6', 'route', 'show', 'dev', link]).then(async (ipv6) => {
    return ipv6 + (await host.run(['ip', '-4', 'route', 'show', 'dev', link]));
  });
  const known = prefixes.filter((prefix) => routes.includes(`${prefix.replace(/\/(32|128)$/, '')} via `));
  if (known.length === prefixes.length) return 'all';
  return known.length === 0 ? 'none' : 'some';
}
