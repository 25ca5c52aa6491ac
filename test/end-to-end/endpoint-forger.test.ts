/**
 * Pinned nodes, and strangers off the path who forge Hellos and answers in their names, from addresses of their own and
 * from forged ones. Needs root, /dev/net/tun, iproute2 and nft.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'node:test';
import { end, Host, until, wire } from '../interop/hosts.ts';
import type { ForgersPlan, Victim } from './endpoint-forger.ts';
import { forgedHello, udpDatagram } from './forged-packets.ts';
import { MeshHost } from './mesh-host.ts';

const FORGER = fileURLToPath(new URL('./endpoint-forger.js', import.meta.url));
const SENDER = fileURLToPath(new URL('../interop/raw-sender.js', import.meta.url));
const PORT = 7077;
const STRANGERS = 3;

/** No packet of one reaches the other. */
const CUT = `table ip6 cut {
  chain forward {
    type filter hook forward priority 0;
    ip6 saddr ${addressOn('a')} ip6 daddr ${addressOn('c')} drop;
    ip6 saddr ${addressOn('c')} ip6 daddr ${addressOn('a')} drop;
  }
}`;

/** A host on a segment of its own behind the router: `2001:db8:SEGMENT::1`. */
function addressOn(segment: string): string {
  return `2001:db8:${segment}::1`;
}

async function pin(...nodes: MeshHost[]): Promise<string> {
  return `trust = "pinned"\npin = ${JSON.stringify(await Promise.all(nodes.map((node) => node.nodeId())))}\n`;
}

async function victimOf(node: MeshHost, address: string): Promise<Victim> {
  const status = await node.status();
  assert.ok(status !== undefined);
  return { nodeId: status.self.nodeId, sequence: status.self.sequence, address, port: PORT };
}

/** A forger at work on a stranger's host. */
class Forger {
  readonly #child: ChildProcess;
  said = '';

  constructor(host: Host, plan: ForgersPlan) {
    this.#child = host.start([process.execPath, FORGER, JSON.stringify(plan)]);
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (text: Buffer) => (this.said += text.toString()));
  }

  async hasForged(): Promise<void> {
    await until('all Hellos are forged', () => Promise.resolve(this.said.includes('forged')), 60_000);
  }

  close(): Promise<void> {
    return end(this.#child);
  }
}

describe('two pinned nodes on networks of their own, and strangers on others', () => {
  let router: Host;
  let a: MeshHost;
  let c: MeshHost;
  const strangers: Host[] = [];
  const forgers: Forger[] = [];
  let config: Record<'a' | 'c', string>;

  before(async () => {
    router = await Host.create('router');
    a = await MeshHost.create('a');
    c = await MeshHost.create('c');
    await router.run(['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1']);
    for (let i = 0; i < STRANGERS; i++) strangers.push(await Host.create(`b${i}`));
    const segments: [Host, string][] = [
      [a.host, 'a'],
      [c.host, 'c'],
      ...strangers.map((host, i): [Host, string] => [host, `b${i}`]),
    ];
    for (const [host, segment] of segments) {
      await wire([host, 'eth0'], [router, `to-${segment}`]);
      await host.ip('address', 'add', `${addressOn(segment)}/64`, 'dev', 'eth0', 'nodad');
      await router.ip('address', 'add', `2001:db8:${segment}::ffff/64`, 'dev', `to-${segment}`, 'nodad');
      await host.ip('link', 'set', 'eth0', 'up');
      await router.ip('link', 'set', `to-${segment}`, 'up');
      await host.ip('route', 'add', 'default', 'via', `2001:db8:${segment}::ffff`);
    }
    const bootstrap = (segment: string) => `bootstrap = ["[${addressOn(segment)}]:${PORT}"]\n`;
    await Promise.all([a.start(bootstrap('c')), c.start(bootstrap('a'))]);
    const pinned = await pin(a, c);
    config = { a: bootstrap('c') + pinned, c: bootstrap('a') + pinned };
    await Promise.all([a.stop(), c.stop()]);
    await Promise.all([a.start(config.a), c.start(config.c)]);
    await Promise.all([a.reaches('c'), c.reaches('a')]);
  });
  after(async () => {
    await Promise.all([a?.close(), c?.close()]);
    await Promise.all([router, ...strangers].map((host) => host?.close()));
  });
  afterEach(() => Promise.all(forgers.splice(0).map((forger) => forger.close())));

  const wayOf = async (node: MeshHost) => {
    const [other] = (await node.status())?.nodes ?? [];
    return { state: other?.state, path: other?.path, endpoint: other?.endpoint };
  };
  const directTo = (segment: string) => ({ state: 'up', path: 'direct', endpoint: `[${addressOn(segment)}]:${PORT}` });
  const victims = async () =>
    [await victimOf(a, addressOn('a')), await victimOf(c, addressOn('c'))] as [Victim, Victim];

  /** Has `count` Hellos in each name sent from each stranger's own address, and as many from that of their victim. */
  const besiege = async (count: number, strangersCount: number): Promise<void> => {
    const plan: ForgersPlan = { victims: await victims(), count, beacons: 0, port: PORT };
    const hosts = strangers.slice(0, strangersCount);
    for (const host of hosts) forgers.push(new Forger(host, plan));
    for (const host of hosts) await forgeSources(host, count);
  };
  /** Hellos and answers from the right address: he who sends them cannot hear what they lead to. */
  const forgeSources = async (host: Host, count: number): Promise<void> => {
    const [first, second] = await victims();
    const packets = [
      [first, second],
      [second, first],
    ].flatMap(([from, to]) =>
      [{ challenge: 7n }, { echo: 7n }].map((parts) =>
        udpDatagram({ from: from.address, fromPort: PORT, to: to.address, port: PORT }, forgedHello(from, parts)),
      ),
    );
    const sent = await host.run([process.execPath, SENDER, `${count}`, '0', ...packets]);
    assert.equal(sent, `${4 * count} sent\n`);
  };

  /** The siege is over, and has led to nothing. */
  const assertInVain = async (): Promise<void> => {
    for (const forger of forgers) await forger.hasForged();
    // Traffic, so that a session that had moved would show at a stranger's.
    await a.host.run(['ping', '-n', '-c', '5', '-i', '0.2', '-W', '5', await c.address()]);
    assert.deepEqual([await wayOf(a), await wayOf(c)], [directTo('c'), directTo('a')]);
    for (const { said } of forgers) assert.equal(said, 'forged\n');
  };

  for (const [count, strangersCount] of [
    [58, 1],
    [580, 1],
    [58, STRANGERS],
    [580, STRANGERS],
  ]) {
    const siege = `${count} Hellos in each one's name from each of ${strangersCount}`;

    it(`keep the endpoint of a path that is up (${siege})`, async () => {
      await besiege(count, strangersCount);
      await assertInVain();
    });

    it(`find each other when one starts again meanwhile (${siege})`, async () => {
      await besiege(count, strangersCount);
      await c.stop('SIGKILL');
      await c.start(config.c);
      await until('they have a tunnel', async () => (await a.hasTunnels(1)) && c.hasTunnels(1), 30_000);
      await assertInVain();
    });

    it(`take no way through a stranger while their own is cut, and their own again when it heals (${siege})`, async () => {
      await router.nft(CUT);
      // Traffic, whose loss is noticed soon.
      await a.host.attempt(['ping', '-n', '-c', '5', '-i', '0.2', '-W', '1', await c.address()]);
      await until('both have noticed', async () => !(await a.hasTunnels(1)) && !(await c.hasTunnels(1)), 30_000);
      await besiege(count, strangersCount);
      for (const forger of forgers) await forger.hasForged();
      await router.nft('delete table ip6 cut');
      await until('they have a tunnel', async () => (await a.hasTunnels(1)) && c.hasTunnels(1), 60_000);
      await assertInVain();
    });
  }
});

/** The zone of an address is the same everywhere: in each of the namespaces `eth0` came first. */
describe('two pinned nodes on a link, and a stranger there', () => {
  let middle: Host;
  let stranger: Host;
  let a: MeshHost;
  let c: MeshHost;
  let config: string;

  before(async () => {
    middle = await Host.create('middle');
    stranger = await Host.create('stranger');
    a = await MeshHost.create('a');
    c = await MeshHost.create('c');
    await middle.ip('link', 'add', 'br0', 'type', 'bridge');
    await middle.ip('link', 'set', 'br0', 'up');
    for (const [i, host] of [a.host, c.host, stranger].entries()) {
      await wire([host, 'eth0'], [middle, `port${i}`]);
      await host.ip('link', 'set', 'eth0', 'up');
      await middle.ip('link', 'set', `port${i}`, 'master', 'br0', 'up');
    }
    await Promise.all([a.start(), c.start()]);
    config = await pin(a, c);
    await Promise.all([a.stop(), c.stop()]);
    await Promise.all([a.start(config), c.start(config)]);
    await Promise.all([a.reaches('c'), c.reaches('a')]);
  });
  after(async () => {
    await Promise.all([a?.close(), c?.close()]);
    await Promise.all([stranger?.close(), middle?.close()]);
  });

  for (const beacons of [10, 100]) {
    // The first ask nothing, the last of each lot asks for an answer, and all answers are passed on.
    it(`find each other by its own addresses after ${31 * beacons} beacons in the name of each`, async (t) => {
      const victims = [
        await victimOf(a, await a.linkLocalOf('eth0')),
        await victimOf(c, await c.linkLocalOf('eth0')),
      ] as const;
      await c.stop('SIGKILL');
      const forger = new Forger(stranger, { victims, count: 31, beacons, port: PORT });
      t.after(() => forger.close());
      await forger.hasForged();
      await c.start(config);
      await until('they have a tunnel', async () => (await a.hasTunnels(1)) && c.hasTunnels(1), 30_000);
      for (const [node, { address }] of [
        [a, victims[1]],
        [c, victims[0]],
      ] as const) {
        const [other] = (await node.status())?.nodes ?? [];
        assert.equal(other?.endpoint, `[${address}]:${PORT}`);
      }
      assert.equal(forger.said, 'forged\n');
    });
  }
});
