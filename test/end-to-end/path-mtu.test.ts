/**
 * Paths that swallow long datagrams and say nothing: TCP goes over them all the same, and status and log name them.
 * Needs root, /dev/net/tun, iproute2, nft and iperf3.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { end, Host, until, wire } from '../interop/hosts.ts';
import { MeshHost } from './mesh-host.ts';

const FAMILIES = {
  IPv4: { a: '192.0.2.1', gatewayOfA: '192.0.2.254', b: '198.51.100.1', gatewayOfB: '198.51.100.254', length: 24 },
  IPv6: {
    a: '2001:db8:1::1',
    gatewayOfA: '2001:db8:1::f',
    b: '2001:db8:2::1',
    gatewayOfB: '2001:db8:2::f',
    length: 64,
  },
} as const;
type Family = keyof typeof FAMILIES;
const PORT = 7077;
/** Of twelve megabytes that are sent; iperf3 ends before it has read the last ones. */
const MEGABYTES = 4 << 20;

/** Two nodes and a router between them, over one family. */
class Routed {
  static async create(family: Family): Promise<Routed> {
    const [a, b] = [await MeshHost.create('a'), await MeshHost.create('b')];
    const router = await Host.create('r');
    const { gatewayOfA, gatewayOfB, length, ...own } = FAMILIES[family];
    await wire([a.host, 'eth0'], [router, 'eth0']);
    await wire([b.host, 'eth0'], [router, 'eth1']);
    await router.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    await setUp(router, 'eth0', `${gatewayOfA}/${length}`);
    await setUp(router, 'eth1', `${gatewayOfB}/${length}`);
    await setUp(a.host, 'eth0', `${own.a}/${length}`);
    await setUp(b.host, 'eth0', `${own.b}/${length}`);
    await a.host.ip('route', 'add', 'default', 'via', gatewayOfA);
    await b.host.ip('route', 'add', 'default', 'via', gatewayOfB);
    return new Routed(a, b, router, family);
  }

  readonly a: MeshHost;
  readonly b: MeshHost;
  readonly router: Host;
  readonly #family: Family;

  private constructor(a: MeshHost, b: MeshHost, router: Host, family: Family) {
    this.a = a;
    this.b = b;
    this.router = router;
    this.#family = family;
  }

  async start(): Promise<void> {
    const { b } = FAMILIES[this.#family];
    await this.b.start();
    await this.a.start(`bootstrap = ["${this.#family === 'IPv4' ? b : `[${b}]`}:${PORT}"]\n`);
    await this.a.reaches('b');
    await this.b.reaches('a');
  }

  /** From now on what is longer vanishes. */
  async swallow(limit: number): Promise<void> {
    await this.router.nft(swallowing('forward', limit));
  }

  async close(): Promise<void> {
    await this.a.close();
    await this.b.close();
    await this.router.close();
  }
}

/** Trains are cut before the wire: a packet is what the wire sees. */
async function setUp(host: Host, link: string, address: string): Promise<void> {
  const family = address.includes(':') ? ['nodad'] : [];
  await host.ip('address', 'add', address, 'dev', link, ...family);
  await host.ip('link', 'set', link, 'gso_max_segs', '1', 'up');
}

function swallowing(hook: 'forward' | 'input', limit: number): string {
  return `
    table inet narrow
    delete table inet narrow
    table inet narrow {
      chain way { type filter hook ${hook} priority 0; udp dport ${PORT} meta length > ${limit} drop; iifname "eth*" ip frag-off & 0x1fff != 0 drop; iifname "eth*" exthdr frag exists drop; }
      chain words { type filter hook output priority 0; icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }
    }`;
}

async function pathMtuOf(name: string, at: MeshHost): Promise<number | undefined> {
  return (await at.status())?.nodes.find(({ hostName }) => hostName === name)?.pathMtu;
}

async function knows(at: MeshHost, name: string, mtu: number): Promise<void> {
  let seen: number | undefined;
  try {
    await until(
      `${at.name} knows that ${mtu} bytes reach ${name}`,
      async () => (seen = await pathMtuOf(name, at)) === mtu,
      30_000,
    );
  } catch (error) {
    throw new Error(`${(error as Error).message}: it is ${seen}\n${at.log}`);
  }
}

interface Iperf {
  readonly end: { readonly sum_received: { readonly bytes: number } };
  readonly intervals: readonly { readonly sum: { readonly bytes: number } }[];
}

/** Sends over TCP through the mesh. @returns what iperf3 says of it */
async function iperf(from: MeshHost, to: MeshHost, ...flags: readonly string[]): Promise<Iperf> {
  const server = to.host.start(['iperf3', '--server', '--one-off', '--forceflush']);
  try {
    let heard = '';
    server.stdout?.on('data', (text: Buffer) => (heard += text.toString()));
    await until('iperf3 listens', () => Promise.resolve(heard.includes('listening')));
    const command = ['iperf3', '--client', await to.address(), '--json', ...flags];
    return JSON.parse(await from.host.run(command, { timeout: 60_000 })) as Iperf;
  } finally {
    await end(server);
  }
}

const PATHS: [Family, limit: number, mtu: number][] = [
  ['IPv4', 1400, 1328],
  ['IPv6', 1400, 1312],
  ['IPv4', 1300, 1232],
  ['IPv6', 1300, 1216],
  ['IPv4', 1000, 928],
  ['IPv6', 1000, 912],
];
for (const [family, limit, mtu] of PATHS) {
  describe(`a router that swallows ${family} datagrams above ${limit} bytes`, () => {
    let net: Routed;
    before(async () => {
      net = await Routed.create(family);
      await net.swallow(limit);
      await net.start();
    });
    after(() => net?.close());

    it(`is known by its MTU of ${mtu} inside the tunnel, on both sides, and said once`, async () => {
      await knows(net.a, 'b', mtu);
      await knows(net.b, 'a', mtu);
      assert.equal(net.a.log.split(`packets longer than ${mtu} bytes do not arrive`).length, 2, net.a.log);
    });

    it('lets four megabytes of TCP through, each way', async () => {
      assert.ok((await iperf(net.a, net.b, '--bytes', '12M')).end.sum_received.bytes >= MEGABYTES);
      assert.ok((await iperf(net.a, net.b, '--bytes', '12M', '--reverse')).end.sum_received.bytes >= MEGABYTES);
    });

    it('lets long pings through, whole or in fragments', async () => {
      await net.a.host.run(['ping', '-c', '1', '-W', '5', '-s', '1372', await net.b.address()]).catch(() => '');
      await net.a.host.run(['ping', '-c', '3', '-W', '5', '-s', '1372', await net.b.address()]);
    });
  });
}

for (const family of ['IPv4', 'IPv6'] as const) {
  describe(`a path over ${family} that shrinks while iperf3 sends`, () => {
    let net: Routed;
    before(async () => {
      net = await Routed.create(family);
      await net.start();
      await knows(net.a, 'b', 1420);
    });
    after(() => net?.close());

    it('carries it on', async () => {
      const running = iperf(net.a, net.b, '--time', '15');
      await new Promise((resolve) => setTimeout(resolve, 4000));
      await net.swallow(1400);
      const { intervals } = await running;
      const last = intervals.slice(-3).map(({ sum }) => sum.bytes);
      assert.ok(
        last.every((bytes) => bytes > 0),
        `${last.join(', ')} bytes in the last seconds\n${net.a.log}`,
      );
      await knows(net.a, 'b', family === 'IPv4' ? 1328 : 1312);
    });
  });
}

describe('a relay behind which a path swallows datagrams above 1,400 bytes', () => {
  let a: MeshHost;
  let r: MeshHost;
  let b: MeshHost;
  before(async () => {
    [a, r, b] = [await MeshHost.create('a'), await MeshHost.create('r'), await MeshHost.create('b')];
    await wire([a.host, 'eth0'], [r.host, 'eth0']);
    await wire([b.host, 'eth0'], [r.host, 'eth1']);
    for (const [host, link] of [
      [a, 'eth0'],
      [r, 'eth0'],
      [r, 'eth1'],
      [b, 'eth0'],
    ] as const) {
      await host.host.ip('link', 'set', link, 'gso_max_segs', '1', 'up');
    }
    await b.host.nft(swallowing('input', 1400));
    for (const node of [r, a, b]) await node.start();
    await a.reaches('r', 'b');
  });
  after(async () => {
    for (const node of [a, r, b]) await node?.close();
  });

  it('carries four megabytes of TCP, and the MTU is that of the narrowest hop', async () => {
    assert.ok((await iperf(a, b, '--bytes', '12M')).end.sum_received.bytes >= MEGABYTES);
    // 1,400 bytes less IPv6, UDP and two seals with a header between them, in steps of 16.
    await knows(a, 'b', 1232);
    await knows(a, 'r', 1420);
  });
});
