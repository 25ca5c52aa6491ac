/** wireguard-ts with Debian's wireguard-go as its peer, both set up with stock `wg`. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { twoHosts, until, type Host } from './hosts.ts';
import { closeEnd, openTunnel, type TunnelEnd } from './tunnel.ts';
import { iperf3, ping } from './traffic.ts';

describe('a tunnel between wireguard-ts and wireguard-go', () => {
  for (const outer of [4, 6] as const) {
    describe(`over IPv${outer}, with a preshared key`, () => {
      let hosts: [Host, Host];
      let ends: [TunnelEnd, TunnelEnd];

      before(async () => {
        hosts = await twoHosts();
        ends = await openTunnel(hosts, {
          implementations: ['wireguard-ts', 'wireguard-go'],
          outer,
          presharedKey: execFileSync('wg', ['genpsk'], { encoding: 'utf8' }),
        });
      });
      after(async () => {
        for (const tunnelEnd of ends ?? []) await closeEnd(tunnelEnd);
        for (const host of hosts ?? []) await host.close();
      });

      it('answers pings both ways, over IPv4 and IPv6', async () => {
        const [ours, theirs] = ends;
        for (const [from, to] of [
          [ours, theirs],
          [theirs, ours],
        ]) {
          assert.equal(await ping(from.host, to.address4), 5);
          assert.equal(await ping(from.host, to.address6), 5);
        }
      });

      it('carries TCP both ways, over IPv4 and IPv6', async () => {
        const [ours, theirs] = ends;
        for (const reverse of [false, true]) {
          for (const address of [theirs.address4, theirs.address6]) {
            const { stalls, receivedBytes } = await iperf3(ours.host, theirs.host, address, { seconds: 3, reverse });
            assert.ok(receivedBytes > 0);
            assert.deepEqual(stalls, [], 'no second passed without data');
          }
        }
      });
    });
  }

  describe('across rekeyings', () => {
    let hosts: [Host, Host];
    let ends: [TunnelEnd, TunnelEnd];

    before(async () => {
      hosts = await twoHosts();
      ends = await openTunnel(hosts, {
        implementations: ['wireguard-ts', 'wireguard-go'],
        env: { WIREGUARD_TS_TEST_TIMING: 'rekeyAfterTime=2000' },
      });
    });
    after(async () => {
      for (const tunnelEnd of ends ?? []) await closeEnd(tunnelEnd);
      for (const host of hosts ?? []) await host.close();
    });

    it('loses no ping while the keys change', async () => {
      const [ours, theirs] = ends;
      assert.equal(await ping(ours.host, theirs.address6), 5);
      const first = await latestHandshake(ours);
      const pings = ping(ours.host, theirs.address6, { count: 60, interval: 0.1 });
      await until('a second handshake is complete', async () => (await latestHandshake(ours)) > first, 20_000);
      assert.equal(await pings, 60);
    });

    it('carries TCP while the keys change', async () => {
      const [ours, theirs] = ends;
      for (const reverse of [false, true]) {
        const first = await latestHandshake(ours);
        // Long enough for a second initiation: the first may be lost, as any datagram, in a receiver's full queue.
        const { stalls } = await iperf3(ours.host, theirs.host, theirs.address4, { seconds: 12, reverse });
        assert.ok((await latestHandshake(ours)) > first, 'the keys changed during the transfer');
        assert.deepEqual(stalls, [], 'no second passed without data');
      }
    });
  });
});

/** Unix time in seconds, as `wg show` gives it. */
async function latestHandshake({ host, interfaceName }: TunnelEnd): Promise<number> {
  const output = await host.run(['wg', 'show', interfaceName, 'latest-handshakes']);
  return Number(output.trim().split('\t')[1]);
}
