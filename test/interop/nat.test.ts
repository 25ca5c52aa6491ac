/** wireguard-ts and wireguard-go behind a NAT that forgets: the inner side must stay reachable from outside. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Host, until, wire } from './hosts.ts';
import { setPeer, shown, startEnd, tearDown, type Implementation, type TunnelEnd } from './tunnel.ts';
import { ping } from './traffic.ts';

/** Seconds that the NAT keeps a mapping which nothing uses. */
const MAPPING_TIMEOUT = 2;
/** Milliseconds in which a mapping surely expires. */
const LONG_SILENCE = 2 * MAPPING_TIMEOUT * 1000;

const MASQUERADE = `
table inet nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "eth1" masquerade random
  }
}`;

for (const [inner, outer] of [
  ['wireguard-ts', 'wireguard-go'],
  ['wireguard-go', 'wireguard-ts'],
] as const satisfies [Implementation, Implementation][]) {
  describe(`${inner} behind a masquerading NAT, ${outer} outside`, () => {
    let hosts: Host[];
    let inside: TunnelEnd;
    let outside: TunnelEnd;

    before(async () => {
      const [client, router, server] = [
        await Host.create('client'),
        await Host.create('router'),
        await Host.create('server'),
      ];
      hosts = [client, router, server];
      await wire([client, 'eth0'], [router, 'eth0']);
      await wire([router, 'eth1'], [server, 'eth0']);
      for (const [host, link, ...addresses] of [
        [client, 'eth0', '10.9.0.2/24', 'fd00:9::2/64'],
        [router, 'eth0', '10.9.0.1/24', 'fd00:9::1/64'],
        [router, 'eth1', '192.0.2.1/24', '2001:db8::1/64'],
        [server, 'eth0', '192.0.2.2/24', '2001:db8::2/64'],
      ] as const) {
        const options = (address: string): string[] => (address.includes(':') ? ['nodad'] : []);
        for (const address of addresses) await host.ip('address', 'add', address, 'dev', link, ...options(address));
        await host.ip('link', 'set', link, 'up');
      }
      await client.ip('route', 'add', 'default', 'via', '10.9.0.1');
      await client.ip('-6', 'route', 'add', 'default', 'via', 'fd00:9::1');
      await router.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
      await router.nft(MASQUERADE);
      // The timeouts are there once connections are tracked.
      const [timeout, streamTimeout] = ['udp_timeout', 'udp_timeout_stream'].map(
        (name) => `net.netfilter.nf_conntrack_${name}`,
      );
      await router.run(['sysctl', '-qw', `${timeout}=${MAPPING_TIMEOUT}`, `${streamTimeout}=${MAPPING_TIMEOUT}`]);
      inside = await startEnd(client, { implementation: inner, index: 1 });
      outside = await startEnd(server, { implementation: outer, index: 2 });
      await setPeer(outside, inside);
    });
    after(() =>
      tearDown(
        hosts,
        [inside, outside].filter((tunnelEnd) => tunnelEnd !== undefined),
      ),
    );

    for (const family of [4, 6] as const) {
      it(`is reached while idle thanks to persistent keepalive, over IPv${family}`, async () => {
        const endpoint = family === 4 ? outside.endpoint4 : outside.endpoint6;
        const address = family === 4 ? '192.0.2.1:' : '[2001:db8::1]:';
        await setPeer(inside, outside, { endpoint, persistentKeepalive: 1 });
        await until('the endpoint is the NAT', async () => (await endpointOutside()).startsWith(address));
        await passTime(LONG_SILENCE);
        assert.equal(await ping(outside.host, inside.address4), 5);
        assert.equal(await ping(outside.host, inside.address6), 5);
      });

      it(`is lost without, and found at another port when it speaks, over IPv${family}`, async () => {
        await setPeer(inside, outside, { persistentKeepalive: 0 });
        const mapping = await endpointOutside();
        await passTime(LONG_SILENCE);
        const { exitCode } = await outside.host.attempt([
          'ping',
          '-n',
          '-c',
          '3',
          '-i',
          '0.2',
          '-W',
          '1',
          inside.address4,
        ]);
        assert.notEqual(exitCode, 0, 'the mapping has expired');
        assert.equal(await ping(inside.host, outside.address6), 5);
        assert.notEqual(await endpointOutside(), mapping);
        assert.equal(await ping(outside.host, inside.address4), 5);
      });
    }

    async function endpointOutside(): Promise<string> {
      return (await shown(outside, 'endpoints')).get(inside.publicKey) ?? '';
    }
  });
}

/** Nothing is to be seen that could be waited for: that nothing happens is the point. */
function passTime(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
