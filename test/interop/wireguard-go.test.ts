/** The interop matrix: wireguard-ts with Debian's wireguard-go as its peer, both set up with stock `wg`. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { end, twoHosts, until, wire, type Host } from './hosts.ts';
import {
  generateKey,
  introduce,
  latestHandshake,
  openTunnel,
  removePeer,
  setPeer,
  shown,
  startEnd,
  tearDown,
  type Implementation,
  type TunnelEnd,
} from './tunnel.ts';
import { iperf3, ping, type Iperf3Options } from './traffic.ts';

const IMPLEMENTATIONS = ['wireguard-ts', 'wireguard-go'] as const;
const presharedKey = generateKey('genpsk');

/** wireguard-go's times cannot be changed: its initiator rekeys after so many milliseconds (whitepaper §6.1). */
const REKEY_AFTER_TIME = 120_000;

/** A tunnel that wireguard-go opened at the start; it comes of age while the other tests run. */
const longLived = {} as { hosts: [Host, Host]; ends: [TunnelEnd, TunnelEnd]; openedAt: number };

before(async () => {
  longLived.hosts = await twoHosts();
  longLived.ends = await openTunnel(longLived.hosts, { implementations: IMPLEMENTATIONS });
  const [ours, theirs] = longLived.ends;
  assert.equal(await ping(theirs.host, ours.address4, { count: 1 }), 1);
  longLived.openedAt = performance.now();
});
after(() => tearDown(longLived.hosts, longLived.ends));

/** Rows of the matrix share one tunnel, whose peers are made anew where a row needs a first handshake. */
describe('a tunnel between wireguard-ts and wireguard-go', () => {
  let hosts: [Host, Host];
  let ends: [TunnelEnd, TunnelEnd];

  before(async () => {
    hosts = await twoHosts({ mtu: 9100 });
    await wire([hosts[0], 'eth1'], [hosts[1], 'eth1']);
    for (const host of hosts) {
      await host.ip('link', 'set', 'eth1', 'up');
      await host.ip('route', 'add', '198.51.100.0/24', 'dev', 'eth1');
    }
    ends = await openTunnel(hosts, { implementations: IMPLEMENTATIONS });
  });
  after(() => tearDown(hosts, ends));

  /** The ends with that of `implementation` first. */
  function startingWith(implementation: Implementation): [TunnelEnd, TunnelEnd] {
    const [a, b] = ends;
    return a.implementation === implementation ? [a, b] : [b, a];
  }

  async function meetAnew(options: Parameters<typeof introduce>[1]): Promise<void> {
    const [a, b] = ends;
    await removePeer(a, b.publicKey);
    await removePeer(b, a.publicKey);
    await introduce(ends, options);
  }

  async function answersBothWays(): Promise<void> {
    const [a, b] = ends;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      for (const address of [to.address4, to.address6]) {
        assert.equal(await ping(from.host, address, { count: 3, interval: 0.05 }), 3, `${from.implementation} asks`);
      }
    }
  }

  for (const outer of [4, 6] as const) {
    for (const key of [undefined, presharedKey]) {
      for (const initiator of IMPLEMENTATIONS) {
        const secret = key === undefined ? 'without' : 'with';
        it(`carries IPv4 and IPv6 over IPv${outer} ${secret} a preshared key when ${initiator} begins`, async () => {
          await meetAnew({ outer, presharedKey: key });
          const [from, to] = startingWith(initiator);
          assert.equal(await latestHandshake(from), 0);
          assert.equal(await ping(from.host, to.address6, { count: 1 }), 1);
          assert.notEqual(await latestHandshake(from), 0);
          await answersBothWays();
        });
      }
    }

    it(`opens by itself when both begin at once over IPv${outer}`, async () => {
      await meetAnew({ outer, presharedKey });
      const [a, b] = ends;
      const answered = [ping(a.host, b.address4), ping(b.host, a.address4)];
      assert.deepEqual(await Promise.all(answered), [5, 5]);
    });

    for (const mtu of [1280, 1420, 9000]) {
      it(`carries packets of ${mtu} bytes and TCP over IPv${outer}`, async () => {
        await meetAnew({ outer });
        for (const { host, interfaceName } of ends) await host.ip('link', 'set', interfaceName, 'mtu', String(mtu));
        await fillsPackets(mtu);
      });
    }

    it(`carries packets of 9000 bytes in fragments over IPv${outer} and 1500 bytes`, async () => {
      await meetAnew({ outer });
      for (const host of hosts) await host.ip('link', 'set', 'eth0', 'mtu', '1500');
      await fillsPackets(9000);
      for (const host of hosts) await host.ip('link', 'set', 'eth0', 'mtu', '9100');
      for (const { host, interfaceName } of ends) await host.ip('link', 'set', interfaceName, 'mtu', '1420');
    });
  }

  for (const { roaming, from, to, link = 'eth0' } of [
    { roaming: 'wireguard-ts', from: '192.0.2.1/24', to: '192.0.2.10/24' },
    { roaming: 'wireguard-ts', from: '192.0.2.1/24', to: '198.51.100.1/24', link: 'eth1' },
    { roaming: 'wireguard-ts', from: '2001:db8::1/64', to: '2001:db8::10/64' },
    { roaming: 'wireguard-go', from: '2001:db8::2/64', to: '2001:db8::20/64' },
  ] as const) {
    it(`follows ${roaming} from ${from} to ${to} while TCP runs`, async () => {
      const [mobile, fixed] = startingWith(roaming);
      const [home, away] = [
        { address: from, link: 'eth0' },
        { address: to, link },
      ];
      const correspondent = fixed.endpoint4.split(':')[0];
      await meetAnew({ outer: from.includes(':') ? 6 : 4 });
      await follows(mobile, fixed, {
        seenAt: to.split('/')[0],
        leave: () => move(mobile.host, home, away, correspondent),
        comeBack: () => move(mobile.host, away, home, correspondent),
      });
    });
  }

  // Over IPv4 Debian's wireguard-go keeps sending from an address that has gone, so that one moves to another port.
  it('follows wireguard-go to another port while TCP runs', async () => {
    const [mobile, fixed] = startingWith('wireguard-go');
    const listenOn = (port: string): Promise<string> =>
      mobile.host.run(['wg', 'set', mobile.interfaceName, 'listen-port', port]);
    await meetAnew({ outer: 4 });
    await follows(mobile, fixed, {
      seenAt: '192.0.2.2:50000',
      leave: () => listenOn('50000'),
      comeBack: () => listenOn('51822'),
    });
  });

  async function follows(
    mobile: TunnelEnd,
    fixed: TunnelEnd,
    journey: { seenAt: string; leave: () => Promise<unknown>; comeBack: () => Promise<unknown> },
  ): Promise<void> {
    assert.equal(await ping(mobile.host, fixed.address4, { count: 1 }), 1);
    const before = await transferred(mobile);
    // The one that moves sends: its peer learns of the move by what it sends.
    const transfer = iperf3(mobile.host, fixed.host, fixed.address4, { seconds: 3 });
    await until('data flow', async () => (await transferred(mobile)) - before > 1_000_000);
    await journey.leave();
    try {
      await until('the endpoint follows', async () => (await endpointOf(fixed)).includes(journey.seenAt));
      assert.ok((await transfer).receivedBytes > 1_000_000);
      await answersBothWays();
    } finally {
      await journey.comeBack();
    }
    assert.equal(await ping(mobile.host, fixed.address6), 5);
    assert.ok([mobile.endpoint4, mobile.endpoint6].includes(await endpointOf(fixed)));
  }

  async function fillsPackets(mtu: number): Promise<void> {
    const [a, b] = ends;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      // IPv4 and ICMP take 28 bytes, IPv6 and ICMP 48.
      assert.equal(await ping(from.host, to.address4, { count: 3, interval: 0.05, size: mtu - 28 }), 3);
      assert.equal(await ping(from.host, to.address6, { count: 3, interval: 0.05, size: mtu - 48 }), 3);
    }
    for (const reverse of [false, true]) {
      const address = reverse ? b.address6 : b.address4;
      const { receivedBytes } = await iperf3(a.host, b.host, address, { seconds: 2, reverse });
      assert.ok(receivedBytes > 1_000_000, `${receivedBytes} bytes`);
    }
  }

  for (const killed of IMPLEMENTATIONS) {
    for (const first of ['it', 'its peer']) {
      it(`is opened anew when ${killed} was killed and started again and ${first} speaks first`, async () => {
        await meetAnew({ outer: 4, presharedKey });
        const [victim, survivor] = startingWith(killed);
        assert.equal(await ping(victim.host, survivor.address4, { count: 1 }), 1);
        await end(victim.child, 'SIGKILL');
        const { host, implementation, interfaceName, privateKey } = victim;
        const index = victim.address4.endsWith('1') ? 1 : 2;
        const again = await startEnd(host, { implementation, interfaceName, privateKey, index });
        ends = ends.map((tunnelEnd) => (tunnelEnd === victim ? again : tunnelEnd)) as [TunnelEnd, TunnelEnd];
        await setPeer(again, survivor, { endpoint: survivor.endpoint4, presharedKey });
        const [from, to] = first === 'it' ? [again, survivor] : [survivor, again];
        // Who still has the old keys finds out after KEEPALIVE_TIMEOUT and REKEY_TIMEOUT (whitepaper §6.5), 15 s.
        const { exitCode } = await from.host.attempt(['ping', '-n', '-c', '1', '-w', '25', to.address4]);
        assert.equal(exitCode, 0);
        await answersBothWays();
      });
    }
  }
});

describe('a rekeying under load', () => {
  it('that wireguard-ts begins halts TCP for no second', async (t) => {
    const hosts = await twoHosts();
    t.after(() => tearDown(hosts));
    const env = { WIREGUARD_TS_TEST_TIMING: 'rekeyAfterTime=2000' };
    const ends = await openTunnel(hosts, { implementations: IMPLEMENTATIONS, env });
    const [ours, theirs] = ends;
    assert.equal(await ping(ours.host, theirs.address6), 5);
    const first = await latestHandshake(ours);
    const pings = ping(ours.host, theirs.address6, { count: 60, interval: 0.1 });
    await until('a second handshake is complete', async () => (await latestHandshake(ours)) > first);
    assert.equal(await pings, 60, 'no ping is lost meanwhile');
    for (const reverse of [false, true]) await rekeysUnderLoad(ends, { seconds: 12, reverse });
  });

  it('that wireguard-go begins halts TCP for no second', async () => {
    const { ends, openedAt } = longLived;
    const loadAt = openedAt + REKEY_AFTER_TIME - 5000;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, loadAt - performance.now())));
    // Long enough for a second initiation: the first may be lost, as any datagram, in a receiver's full queue.
    await rekeysUnderLoad(ends, { seconds: 14, reverse: true });
  });

  async function rekeysUnderLoad([ours, theirs]: [TunnelEnd, TunnelEnd], options: Iperf3Options): Promise<void> {
    const first = await latestHandshake(ours);
    const { longestStall } = await iperf3(ours.host, theirs.host, theirs.address4, options);
    assert.ok((await latestHandshake(ours)) > first, 'the keys changed during the transfer');
    assert.ok(longestStall <= 1, `nothing moved for ${longestStall} s`);
  }
});

interface Place {
  readonly address: string;
  readonly link: string;
}

/** Moves a host from one address to another, on the same link or on another that also leads to `correspondent`. */
async function move(host: Host, from: Place, to: Place, correspondent: string): Promise<void> {
  // Else the kernel removes all addresses of a prefix with the first.
  await host.run(['sysctl', '-qw', 'net.ipv4.conf.all.promote_secondaries=1']);
  await host.ip('address', 'add', to.address, 'dev', to.link, ...(to.address.includes(':') ? ['nodad'] : []));
  if (to.link === 'eth1') await host.ip('route', 'add', `${correspondent}/32`, 'dev', 'eth1');
  if (from.link === 'eth1') await host.ip('route', 'delete', `${correspondent}/32`, 'dev', 'eth1');
  await host.ip('address', 'delete', from.address, 'dev', from.link);
}

/** Bytes sent and received by `own`, whatever its peer. */
async function transferred(own: TunnelEnd): Promise<number> {
  const [counts] = (await shown(own, 'transfer')).values();
  return counts.split('\t').reduce((sum, count) => sum + Number(count), 0);
}

async function endpointOf(own: TunnelEnd): Promise<string> {
  return [...(await shown(own, 'endpoints')).values()][0];
}
