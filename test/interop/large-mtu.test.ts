/** Packets of the host that no datagram holds, at the largest MTU that there is. Needs root and /dev/net/tun. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { twoHosts, type Host } from './hosts.ts';
import { openTunnel, tearDown, type TunnelEnd } from './tunnel.ts';

/** Sends datagrams of all those lengths to an address of the tunnel's other end, as any local user may. */
const SENDER = `
  const socket = require('node:dgram').createSocket('udp4');
  const lengths = [1252, 8972, 65428, 65444, 65445, 65475, 65476, 65477, 65492, 65507];
  let left = lengths.length;
  for (const length of lengths) socket.send(Buffer.alloc(length), 9, process.argv[1], () => --left || socket.close());
`;

for (const threads of [1, 2]) {
  describe(`wireguard-ts --threads ${threads} with an MTU of 65535`, () => {
    let hosts: [Host, Host];
    let ends: [TunnelEnd, TunnelEnd];
    before(async () => {
      hosts = await twoHosts();
      ends = await openTunnel(hosts, {
        implementations: ['wireguard-ts', 'wireguard-ts'],
        mtu: 65_535,
        threads: [threads, threads],
      });
    });
    after(() => tearDown(hosts, ends));

    it('delivers, or answers to, a packet of any length', async () => {
      const [{ host }, { address4, address6 }] = ends;
      for (const [address, headers] of [
        [address4, 28],
        [address6, 48],
      ] as const) {
        for (const fragments of ['do', 'dont']) {
          for (const length of [65_440, 65_456, 65_457, 65_472, 65_473, 65_488, 65_500, 65_534, 65_535]) {
            const argv = [
              'ping',
              '-n',
              '-c',
              '2',
              '-i',
              '0.1',
              '-W',
              '3',
              '-M',
              fragments,
              '-s',
              `${length - headers}`,
            ];
            const { output } = await host.attempt([...argv, address]);
            const isAnswered = /[12] received|too long|Frag needed|Packet too big/i.test(output);
            assert.ok(isAnswered, `${length} bytes to ${address}, -M ${fragments}: ${output}`);
          }
        }
      }
    });

    it('outlives large packets of the host, before there is a session and in it', async () => {
      for (let round = 0; round < 2; round++) {
        await hosts[0].run([process.execPath, '-e', SENDER, ends[1].address4]);
        await hosts[0].run(['ping', '-c', '1', '-W', '5', ends[1].address4]);
        await hosts[0].run(['ping', '-c', '1', '-W', '5', '-s', '60000', ends[1].address6]);
      }
      assert.deepEqual(
        ends.map(({ child }) => child.exitCode),
        [null, null],
      );
    });
  });
}
