/**
 * Five hosts in line, each on a wire with the next and with no other, and no host forwards: the ends reach each other
 * because the WireGuard devices between relay. A sixth wire joins the ends, for ways that change.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { chooseAead } from '../../src/crypto/aead.ts';
import { nodePrimitives } from '../../src/crypto/node.ts';
import { RELAY_PORT, RunningDevice, type DeviceEvent } from '../../src/device/index.ts';
import { endpointOf, formatAddress, parseAddress, parseEndpoint, parsePrefix } from '../../src/inet/index.ts';
import { inNamespace, namespacePath } from '../../src/linux/index.ts';
import { end, Host, until, wire } from './hosts.ts';
import { iperf3, ping } from './traffic.ts';

const PORT = 51_820;
const MTU = 1420;
/** Of a packet over relays; and the headers of a ping. */
const RELAYED_MTU = 1328;
const PING_HEADERS = { 4: 28, 6: 48 } as const;
/** What pings carry. Its length does not divide that of a line of a dump, so that it stands whole in some line. */
const PAYLOAD = 'secret!';
/** Longer than a busy machine lets a flow wait, and far shorter than the timeouts of TCP and WireGuard. */
const LONGEST_STALL = 3;

const primitives = nodePrimitives(chooseAead().aead);

/** Node N: fd77::N and 10.77.0.N inside; 10.0.N.1 on the wire to node N + 1, on whose end is 10.0.N.2. */
interface Node {
  readonly index: number;
  readonly host: Host;
  readonly device: RunningDevice;
  readonly publicKey: Uint8Array;
  readonly keyLog: string;
  readonly events: DeviceEvent[];
}

async function startNode(host: Host, index: number, folder: string): Promise<Node> {
  const keyLog = join(folder, `${index}.keys`);
  const device = await inNamespace(namespacePath(host.name), () =>
    RunningDevice.start({ name: 'wm0', mtu: MTU, keyLogFile: keyLog }),
  );
  const privateKey = primitives.randomBytes(32);
  const publicKey = primitives.publicKey(privateKey);
  await device.configure({ privateKey, listenPort: PORT });
  await device.configureRelay({ address: parseAddress(`fd77::${index}`)!, mayForward: true });
  await host.ip('address', 'add', `fd77::${index}/16`, 'dev', 'wm0', 'nodad');
  await host.ip('address', 'add', `10.77.0.${index}/24`, 'dev', 'wm0');
  await host.ip('link', 'set', 'wm0', 'mtu', String(MTU), 'up');
  const events: DeviceEvent[] = [];
  device.onEvent = (event) => events.push(event);
  return { index, host, device, publicKey, keyLog, events };
}

async function joinHosts(a: Host, b: Host, network: number): Promise<void> {
  await wire([a, `to${network}`], [b, `from${network}`]);
  await a.ip('address', 'add', `10.0.${network}.1/24`, 'dev', `to${network}`);
  await b.ip('address', 'add', `10.0.${network}.2/24`, 'dev', `from${network}`);
  await a.ip('link', 'set', `to${network}`, 'up');
  await b.ip('link', 'set', `from${network}`, 'up');
}

/** Makes `other` a peer of `node`, at an endpoint of the wire or over a neighbour. */
async function setPeer(node: Node, other: Node, way: { at: string } | { via: Node }): Promise<void> {
  const destination = parseAddress(`fd77::${other.index}`)!;
  const via = 'via' in way ? way.via : other;
  await node.device.setRelayRoutes([{ destination, via: via.publicKey }]);
  const endpoint = 'at' in way ? parseEndpoint(way.at)! : endpointOf(destination, RELAY_PORT);
  const allowedIps = [`fd77::${other.index}`, `10.77.0.${other.index}`].map((text) => ({ prefix: parsePrefix(text)! }));
  await node.device.configure({ peers: [{ publicKey: other.publicKey, endpoint, allowedIps }] });
}

async function endpointAt(node: Node, other: Node): Promise<number | undefined> {
  const { peers } = await node.device.publicState();
  return peers.find(({ publicKey }) => Buffer.compare(publicKey, other.publicKey) === 0)?.endpoint?.port;
}

describe('five hosts in line', () => {
  let folder: string;
  const hosts: Host[] = [];
  const nodes: Node[] = [];

  const relayEnds = async (): Promise<void> => {
    const [first, second, , fourth, last] = nodes;
    await Promise.all([setPeer(first, last, { via: second }), setPeer(last, first, { via: fourth })]);
  };
  const joinEnds = async (): Promise<void> => {
    const [first, , , , last] = nodes;
    await Promise.all([
      setPeer(first, last, { at: `10.0.9.2:${PORT}` }),
      setPeer(last, first, { at: `10.0.9.1:${PORT}` }),
    ]);
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wiremesh-relay-'));
    for (let i = 1; i <= 5; i++) hosts.push(await Host.create(`relay${i}`));
    for (let i = 1; i < 5; i++) await joinHosts(hosts[i - 1], hosts[i], i);
    await joinHosts(hosts[0], hosts[4], 9);
    for (const [i, host] of hosts.entries()) nodes.push(await startNode(host, i + 1, folder));
    for (const [i, node] of nodes.entries()) {
      for (const [j, other] of nodes.entries()) {
        if (j === i + 1) await setPeer(node, other, { at: `10.0.${i + 1}.2:${PORT}` });
        else if (j === i - 1) await setPeer(node, other, { at: `10.0.${j + 1}.1:${PORT}` });
        else if (j !== i) await setPeer(node, other, { via: nodes[i < j ? i + 1 : i - 1] });
      }
    }
  });
  after(async () => {
    for (const { device } of nodes) await device.close();
    for (const host of hosts) await host.close();
    rmSync(folder, { recursive: true });
  });

  // The first test, because tshark has to see handshakes to decrypt anything.
  it('have those between see ciphertext only, whatever they decrypt', async () => {
    const capture = join(folder, 'middle.pcapng');
    const [first, , middle] = nodes;
    const isRelayed = `udp.port == ${RELAY_PORT}`;
    const relayed = () => framesOf(capture, '-o', `wg.keylog_file:${middle.keyLog}`, '-Y', isRelayed);
    const tshark = hosts[2].start(['tshark', '-i', 'from2', '-f', 'udp', '-w', capture]);
    let errors = '';
    tshark.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    try {
      await until('tshark captures', () => Promise.resolve(errors.includes('Capture started')));
      const payload = Buffer.from(PAYLOAD).toString('hex');
      // Once for the handshakes: what waits for them leaves in a train, which tshark takes for one datagram.
      assert.equal(await ping(hosts[0], 'fd77::5', { count: 1 }), 1);
      await hosts[0].run(['ping', '-n', '-c', '10', '-i', '0.1', '-W', '5', '-p', payload, 'fd77::5']);
      // As many as there are pings and replies: what else goes with them, handshakes or keepalives, is chance.
      await until('what the relay decrypts is read', () => Promise.resolve(relayed().length >= 20));
    } finally {
      await end(tshark);
    }
    assert.ok(!dump(capture, middle.keyLog).includes(PAYLOAD));
    // With the keys of an end as well it is there: it would have been found.
    const both = join(folder, 'both.keys');
    writeFileSync(both, readFileSync(middle.keyLog, 'latin1') + readFileSync(first.keyLog, 'latin1'), { mode: 0o600 });
    assert.ok(dump(capture, both).includes(PAYLOAD));
  });

  it('answer pings of the ends, and drop nothing', async () => {
    assert.equal(await ping(hosts[0], 'fd77::5'), 5);
    assert.equal(await ping(hosts[4], '10.77.0.1'), 5);
    for (const { device, index } of nodes) {
      const drops = Object.entries(await device.counters()).filter(([, count]) => count > 0);
      // The kernel's router solicitations have nowhere to go.
      assert.deepEqual(
        drops.filter(([reason]) => reason !== 'noRoute'),
        [],
        `node ${index}`,
      );
    }
    const active = nodes[0].events.flatMap((event) => (event.kind === 'peer-active' ? [event.publicKey] : []));
    assert.ok(active.some((key) => Buffer.compare(key, nodes[4].publicKey) === 0));
  });

  it('carry packets as long as they say they may be, and say so of longer ones', async () => {
    for (const [family, address] of [
      [6, 'fd77::5'],
      [4, '10.77.0.5'],
    ] as const) {
      const size = RELAYED_MTU - PING_HEADERS[family];
      assert.equal(await ping(hosts[0], address, { count: 2, size }), 2);
      await ping(hosts[0], address, { count: 1, size: MTU - PING_HEADERS[family] });
      const family6 = family === 6 ? ['-6'] : [];
      assert.match(await hosts[0].ip(...family6, 'route', 'get', address), /mtu 1328/);
    }
    // Without "don't fragment" IPv4 gets through at full length.
    await hosts[0].run(['ping', '-n', '-c', '2', '-i', '0.2', '-M', 'dont', '-s', '1392', '10.77.0.5']);
  });

  for (const address of ['fd77::5', '10.77.0.5']) {
    for (const reverse of [false, true]) {
      it(`carry TCP over three relays, ${reverse ? 'from' : 'to'} ${address}`, async () => {
        // As if nothing had been learned of the path.
        for (const host of hosts) {
          await host.ip('route', 'flush', 'cache');
          await host.ip('-6', 'route', 'flush', 'cache');
        }
        const { receivedBytes, longestStall } = await iperf3(hosts[0], hosts[4], address, { seconds: 3, reverse });
        assert.ok(receivedBytes > 1_000_000, `${receivedBytes} bytes`);
        assert.ok(longestStall < LONGEST_STALL, `nothing moved for ${longestStall} s`);
      });
    }
  }

  it('keep a TCP connection while its way changes from direct to relayed and back', async () => {
    await joinEnds();
    assert.equal(await ping(hosts[0], 'fd77::5', { count: 2 }), 2);
    assert.equal(await endpointAt(nodes[4], nodes[0]), PORT);
    const seconds = 6;
    const running = iperf3(hosts[0], hosts[4], 'fd77::5', { seconds });
    for (let i = 1; i < seconds; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await (i % 2 === 1 ? relayEnds() : joinEnds());
    }
    const { receivedBytes, longestStall } = await running;
    assert.ok(receivedBytes > 1_000_000, `${receivedBytes} bytes`);
    assert.ok(longestStall < LONGEST_STALL, `nothing moved for ${longestStall} s`);
    await relayEnds();
  });

  it('do not relay if they are not to', async () => {
    const { device } = nodes[2];
    await device.configureRelay({ address: parseAddress('fd77::3')!, mayForward: false });
    assert.equal(await ping(hosts[0], 'fd77::5', { count: 2 }), 0);
    assert.ok((await device.counters()).relayRefused >= 2);
    await device.configureRelay({ address: parseAddress('fd77::3')!, mayForward: true });
    assert.equal(await ping(hosts[0], 'fd77::5', { count: 2 }), 2);
  });

  it('let packets die that go round in a loop of tables', async () => {
    await joinEnds();
    // A node that nobody is, and each says that the next one leads to it.
    const destination = parseAddress('fd77::6')!;
    for (const [i, { device }] of nodes.entries()) {
      await device.setRelayRoutes([{ destination, via: nodes[(i + 1) % nodes.length].publicKey }]);
    }
    const publicKey = primitives.publicKey(primitives.randomBytes(32));
    const allowedIps = [{ prefix: parsePrefix('fd77::6')! }];
    const endpoint = endpointOf(destination, RELAY_PORT);
    await nodes[0].device.configure({ peers: [{ publicKey, allowedIps, endpoint }] });
    assert.equal(await ping(hosts[0], 'fd77::6', { count: 1 }), 0);
    await until('the hop limit is at its end', async () => {
      const counters = await Promise.all(nodes.map(({ device }) => device.counters()));
      return counters.some(({ relayHopLimit }) => relayHopLimit > 0);
    });
    await nodes[0].device.configure({ peers: [{ publicKey, remove: true }] });
    await relayEnds();
  });

  it('do not let the host send relay packets', async () => {
    const { device } = nodes[0];
    const before = (await device.counters()).hostOnMeshPort;
    const program = `require('dgram').createSocket('udp6').send('x', ${RELAY_PORT}, 'fd77::2', () => process.exit())`;
    await hosts[0].run([process.execPath, '-e', program]);
    await until('it is counted', async () => (await device.counters()).hostOnMeshPort === before + 1);
  });

  it('carry a message to a peer that was made the moment before, and over relays, past both hosts', async () => {
    const [first, second, , , last] = nodes;
    const heard: string[] = [];
    for (const { device, index } of [second, last]) {
      device.onTunnelMessage = (message, from) =>
        heard.push(`${index} hears ${Buffer.from(message).toString()} from ${formatAddress(from)}`);
    }
    await first.device.configure({ peers: [{ publicKey: second.publicKey, remove: true }] });
    const allowedIps = ['fd77::2', '10.77.0.2'].map((text) => ({ prefix: parsePrefix(text)! }));
    const { publicKey } = second;
    const isMade = first.device.configure({
      peers: [{ publicKey, allowedIps, endpoint: parseEndpoint(`10.0.1.2:${PORT}`)! }],
    });
    first.device.sendInTunnel(Buffer.from('at once'), parseAddress('fd77::2')!);
    await isMade;
    first.device.sendInTunnel(Buffer.from('far'), parseAddress('fd77::5')!);
    await until('both are heard', () => Promise.resolve(heard.length === 2));
    assert.deepEqual(heard.sort(), ['2 hears at once from fd77::1', '5 hears far from fd77::1']);
  });

  it('have one thread: the others would let through what hosts may not send', async () => {
    const { host } = nodes[0];
    const device = await inNamespace(namespacePath(host.name), () =>
      RunningDevice.start({ name: 'wm1', mtu: MTU, threads: 2 }),
    );
    try {
      assert.equal(device.threads, 2, device.threadsReason);
      await assert.rejects(
        device.configureRelay({ address: parseAddress('fd77::1')!, mayForward: true }),
        /several threads cannot relay: start it with one/,
      );
    } finally {
      await device.close();
    }
  });

  it('are told when the kernel refuses to send to a neighbour', async () => {
    const { host, events } = nodes[4];
    await host.ip('link', 'set', 'from4', 'down');
    await ping(host, 'fd77::4', { count: 1 });
    await until('the error is told', () =>
      Promise.resolve(events.some((event) => event.kind === 'path-error' && event.errno === 'ENETUNREACH')),
    );
    await host.ip('link', 'set', 'from4', 'up');
  });
});

/** A line for each frame of a capture. */
function framesOf(capture: string, ...options: string[]): string[] {
  const lines = tshark('-r', capture, ...options).split('\n');
  return lines.filter((line) => line !== '');
}

/** All bytes of a capture, and all that can be decrypted of it. */
function dump(capture: string, keyLog: string): string {
  return tshark('-r', capture, '-o', `wg.keylog_file:${keyLog}`, '-x');
}

function tshark(...argv: string[]): string {
  return execFileSync('tshark', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 64 << 20 });
}
