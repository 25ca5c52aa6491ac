/** What a host's routes and a user's mistakes can do to a tunnel: loops, marks, places that cannot be reached. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { twoHosts, type Host } from './hosts.ts';
import {
  generateKey,
  introduce,
  openTunnel,
  publicKeyOf,
  removePeer,
  setPeer,
  shown,
  tearDown,
  type TunnelEnd,
} from './tunnel.ts';
import { iperf3, ping } from './traffic.ts';

/** Those of the other host's inner addresses, and everything else. */
const EVERYWHERE = ['0.0.0.0/0', '::/0'];
const MARK = '51820';

describe('routes of a host with a tunnel', () => {
  let hosts: [Host, Host];
  let ends: [TunnelEnd, TunnelEnd];
  let ours: TunnelEnd;
  let theirs: TunnelEnd;

  before(async () => {
    hosts = await twoHosts();
    ends = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'] });
    [ours, theirs] = ends;
  });
  after(() => tearDown(hosts, ends));

  async function meetAnew(): Promise<void> {
    await removePeer(ours, theirs.publicKey);
    await removePeer(theirs, ours.publicKey);
    await introduce(ends);
  }

  describe('into the tunnel to its own endpoint', () => {
    for (const outer of ['192.0.2.2/32', '2001:db8::2/128']) {
      for (const opened of ['before', 'after'] as const) {
        it(`make no storm and end when they go: ${outer}, there ${opened} the session`, async () => {
          await meetAnew();
          const family = outer.includes(':') ? '-6' : '-4';
          const endpoint = family === '-6' ? theirs.endpoint6 : theirs.endpoint4;
          const allowedIps = [`${theirs.address4}/32`, `${theirs.address6}/128`, outer];
          await setPeer(ours, theirs, { endpoint, allowedIps });
          if (opened === 'after') assert.equal(await ping(ours.host, theirs.address4, { count: 1 }), 1);
          await ours.host.ip(family, 'route', 'add', outer, 'dev', ours.interfaceName);
          try {
            const [sentBefore, usedBefore] = [await sentBytes(), cpuSeconds(ours)];
            await ours.host.attempt([
              'ping',
              '-n',
              '-c',
              '100',
              '-i',
              '0.01',
              '-s',
              '1300',
              '-W',
              '1',
              theirs.address4,
            ]);
            const [sent, used] = [(await sentBytes()) - sentBefore, cpuSeconds(ours) - usedBefore];
            // A hundred pings of 1.4 KB, and what is cut off their datagrams on the way in again.
            assert.ok(sent < 300_000, `${sent} bytes sent`);
            assert.ok(used < 1, `${used} s of processor time`);
          } finally {
            await ours.host.ip(family, 'route', 'delete', outer, 'dev', ours.interfaceName);
          }
          // An initiation may have been lost in the loop: the next comes after REKEY_TIMEOUT.
          const { exitCode } = await ours.host.attempt(['ping', '-n', '-c', '1', '-w', '20', theirs.address4]);
          assert.equal(exitCode, 0);
        });
      }
    }
  });

  describe('into the tunnel for everything but what bears its mark', () => {
    before(async () => {
      await meetAnew();
      for (const tunnelEnd of ends) await tunnelEnd.host.run(['wg', 'set', tunnelEnd.interfaceName, 'fwmark', MARK]);
      await setPeer(ours, theirs, { allowedIps: EVERYWHERE });
      for (const family of ['-4', '-6']) {
        await ours.host.ip(family, 'route', 'add', 'default', 'dev', ours.interfaceName, 'table', MARK);
        await ours.host.ip(family, 'rule', 'add', 'not', 'fwmark', MARK, 'table', MARK);
      }
    });
    after(async () => {
      for (const family of ['-4', '-6'])
        await ours.host.ip(family, 'rule', 'delete', 'not', 'fwmark', MARK, 'table', MARK);
    });

    for (const outer of [4, 6] as const) {
      it(`carry traffic to the very address of the endpoint, over IPv${outer}`, async () => {
        const endpoint = outer === 4 ? theirs.endpoint4 : theirs.endpoint6;
        await setPeer(ours, theirs, { endpoint, allowedIps: EVERYWHERE });
        for (const address of ['192.0.2.2', '2001:db8::2']) {
          const before = await sentBytes();
          assert.equal(await ping(ours.host, address), 5);
          assert.ok((await sentBytes()) - before >= 5 * 96, 'it went through the tunnel');
        }
        const { receivedBytes } = await iperf3(ours.host, theirs.host, '192.0.2.2', { seconds: 1 });
        assert.ok(receivedBytes > 1_000_000);
        assert.equal((await shown(ours, 'endpoints')).get(theirs.publicKey), endpoint);
      });
    }

    it('need the mark, which can be taken away and given back while the tunnel is up', async () => {
      await ours.host.run(['wg', 'set', ours.interfaceName, 'fwmark', '0']);
      const { exitCode } = await ours.host.attempt(['ping', '-n', '-c', '2', '-i', '0.2', '-W', '1', '192.0.2.2']);
      assert.notEqual(exitCode, 0, 'what is not marked goes round');
      await ours.host.run(['wg', 'set', ours.interfaceName, 'fwmark', MARK]);
      assert.equal(await ping(ours.host, '192.0.2.2'), 5);
    });
  });

  async function sentBytes(): Promise<number> {
    return Number((await shown(ours, 'transfer')).get(theirs.publicKey)?.split('\t')[1]);
  }
});

describe('packets that cannot be sent', () => {
  let hosts: [Host, Host];
  let ends: [TunnelEnd, TunnelEnd];
  const nobody = { publicKey: publicKeyOf(generateKey()), address4: '10.77.0.9', address6: 'fd00:77::9' };

  before(async () => {
    hosts = await twoHosts();
    ends = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'] });
    await setPeer(ends[0], nobody);
  });
  after(() => tearDown(hosts, ends));

  for (const [why, address] of [
    ['no peer has their destination', '10.77.0.8'],
    ['no peer has their destination', 'fd00:77::8'],
    ['their peer has no endpoint', nobody.address4],
    ['their peer has no endpoint', nobody.address6],
  ]) {
    it(`are answered at once with "unreachable" where ${why} (${address})`, async () => {
      const { exitCode, output } = await ends[0].host.attempt(['ping', '-n', '-c', '1', '-w', '10', address]);
      assert.equal(exitCode, 1);
      assert.match(output, /Destination Host Unreachable|Address unreachable/);
      assert.match(output, /\+1 errors.* time 0ms/, 'before a second has passed');
    });
  }

  // 203.0.113.0/24 is for documentation (RFC 5737), and no route leads there.
  for (const [what, endpoint] of [
    ['that no route leads to', '203.0.113.7:51820'],
    ['that no route leads to', '[2001:db8:ffff::7]:51820'],
    ['with port 0', '192.0.2.2:0'],
    ['of the broadcast address', '255.255.255.255:51820'],
    ['of a group', '224.0.0.1:51820'],
    ['of no address', '0.0.0.0:51820'],
    ['of the host itself', '192.0.2.1:51821'],
    ['of the host itself', '[2001:db8::1]:51821'],
    ['where nobody listens', '192.0.2.2:9'],
    ['where nobody is', '192.0.2.99:51820'],
  ]) {
    it(`are lost in silence at an endpoint ${what} (${endpoint}), and the others are not`, async () => {
      const [ours, theirs] = ends;
      await setPeer(ours, nobody, { endpoint });
      const { exitCode } = await ours.host.attempt(['ping', '-n', '-c', '3', '-i', '0.1', '-W', '1', nobody.address4]);
      assert.equal(exitCode, 1);
      assert.equal(await ping(ours.host, theirs.address4, { count: 3, interval: 0.05 }), 3);
    });
  }
});

/** Of the process of `tunnelEnd`, in user and kernel mode (proc_pid_stat(5)). */
function cpuSeconds({ child }: TunnelEnd): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
