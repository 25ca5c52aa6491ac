/** wireguard-ts with several threads (docs/decisions/0012-several-threads.md). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { twoHosts, until, type Host } from './hosts.ts';
import { datagramFlows, iperf3, ping } from './traffic.ts';
import { latestHandshake, openTunnel, removePeer, setPeer, shown, tearDown, type TunnelEnd } from './tunnel.ts';

/** So that keys change all the time while everything else happens. */
const env = { WIREGUARD_TS_TEST_TIMING: 'rekeyAfterTime=1500' };

for (const { peer, implementations, threads } of [
  { peer: 'wireguard-go', implementations: ['wireguard-ts', 'wireguard-go'], threads: [3, 1] },
  { peer: 'itself', implementations: ['wireguard-ts', 'wireguard-ts'], threads: [2, 4] },
] as const) {
  describe(`wireguard-ts with several threads and ${peer}`, () => {
    let hosts: [Host, Host];
    let ends: [TunnelEnd, TunnelEnd];

    before(async () => {
      hosts = await twoHosts();
      ends = await openTunnel(hosts, { implementations, threads, env, outer: 6 });
    });
    after(() => tearDown(hosts, ends));

    it('answers the very first packet', async () => {
      const [a, b] = ends;
      assert.equal(await ping(a.host, b.address4, { count: 1 }), 1);
      assert.equal(await ping(b.host, a.address6, { count: 1 }), 1);
    });

    it('carries TCP in several flows both ways, and counts what it carried', async () => {
      const [a, b] = ends;
      for (const reverse of [false, true]) {
        const { receivedBytes, longestStall } = await iperf3(a.host, b.host, b.address4, {
          seconds: 2,
          reverse,
          flows: 4,
        });
        assert.ok(receivedBytes > 10_000_000, `${receivedBytes} bytes`);
        assert.ok(longestStall <= 1, `nothing moved for ${longestStall} s`);
        const [received, sent] = [...(await shown(a, 'transfer')).values()][0].split('\t').map(Number);
        assert.ok((reverse ? received : sent) > receivedBytes);
      }
    });

    it('reorders nothing of UDP flows', async () => {
      for (const [from, to] of [ends, [...ends].reverse()]) {
        // As many as a busy machine may lose some of.
        const load = { flows: 8, rate: 1000, seconds: 2 };
        const { flows, packets, outOfOrder } = await datagramFlows(from.host, to.host, from.address4, load);
        assert.equal(flows, 8);
        assert.ok(packets > 4000, `${packets} packets`);
        assert.equal(outOfOrder, 0, `from ${from.implementation}`);
      }
    });

    it('loses nothing while keys change', async () => {
      const first = await latestHandshake(ends[0]);
      for (const [from, to] of [ends, [...ends].reverse()]) {
        const load = { flows: 8, rate: 25, seconds: 3 };
        const { lost, outOfOrder } = await datagramFlows(from.host, to.host, from.address4, load);
        assert.deepEqual({ lost, outOfOrder }, { lost: 0, outOfOrder: 0 }, `from ${from.implementation}`);
      }
      assert.ok((await latestHandshake(ends[0])) > first);
    });

    it('knows a peer no more once it is removed, and knows it again', async () => {
      const [a, b] = ends;
      await removePeer(a, b.publicKey);
      assert.equal((await b.host.attempt(['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', a.address4])).exitCode, 1);
      await setPeer(a, b, { endpoint: b.endpoint6 });
      assert.equal(await ping(a.host, b.address4), 5);
      assert.equal(await ping(b.host, a.address6), 5);
    });

    it('gives its port back while the interface is down, and has it again', async () => {
      const [a, b] = ends;
      const socketsOf = async (): Promise<number> => {
        const lines = (await a.host.run(['ss', '-uanH', 'sport', '=', ':51821'])).trim().split('\n');
        return lines.filter((line) => line !== '').length;
      };
      assert.equal(await socketsOf(), 2 * threads[0]);
      await a.host.ip('link', 'set', a.interfaceName, 'down');
      await until('the sockets are closed', async () => (await socketsOf()) === 0);
      await a.host.ip('link', 'set', a.interfaceName, 'up');
      await until('the sockets are open', async () => (await socketsOf()) === 2 * threads[0]);
      await a.host.ip('address', 'replace', `${a.address6}/64`, 'dev', a.interfaceName, 'nodad');
      assert.equal(await ping(b.host, a.address4), 5);
      assert.equal(await ping(a.host, b.address6), 5);
    });

    it('follows its peer to another address', async () => {
      const [fixed, mobile] = ends;
      const moved = ping(mobile.host, fixed.address4, { count: 20, interval: 0.1 });
      await mobile.host.ip('address', 'add', '2001:db8::20/64', 'dev', 'eth0', 'nodad');
      await mobile.host.ip('address', 'delete', '2001:db8::2/64', 'dev', 'eth0');
      assert.ok((await moved) >= 18);
      assert.equal(await ping(mobile.host, fixed.address4), 5);
      assert.match([...(await shown(fixed, 'endpoints')).values()][0], /^\[2001:db8::20\]/);
    });

    it('moves to another port', async () => {
      const [a, b] = ends;
      await a.host.run(['wg', 'set', a.interfaceName, 'listen-port', '50000']);
      assert.equal(await ping(a.host, b.address4), 5);
      assert.match([...(await shown(b, 'endpoints')).values()][0], /:50000$/);
    });
  });
}

describe('two of them on one host', () => {
  it('do not share a port', async (t) => {
    const hosts = await twoHosts();
    t.after(() => tearDown(hosts));
    const [a] = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'], threads: [2, 2] });
    await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'], threads: [2, 2] }).then(
      () => assert.fail('the second took the port'),
      (error: Error) => assert.match(error.message, /Address already in use/),
    );
    assert.ok(a);
  });
});
