/** wireguard-ts under a flood of forged handshake initiations: no other work is more exposed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { end, Host, twoHosts, withFile } from './hosts.ts';
import { iperf3, ping } from './traffic.ts';
import { closeEnd, openTunnel, startDevice, type TunnelEnd } from './tunnel.ts';

const FLOOD = fileURLToPath(new URL('./flood.js', import.meta.url));
const RATE = 100_000;
const SOURCES = 1000;
const CLOSED_PORT = 9;

describe('a flood of 100,000 forged initiations a second from 1,000 addresses', () => {
  let hosts: [Host, Host];
  let ends: [TunnelEnd, TunnelEnd];

  /** Sends the flood from `hosts[1]` to `port` of `hosts[0]` while `work` runs. @returns datagrams a second */
  async function underFlood(port: number, work: () => Promise<void>): Promise<number> {
    const argv = ['192.0.2.1', String(port), ends[0].publicKey, String(RATE), '10', String(SOURCES)];
    const flood = hosts[1].start([process.execPath, FLOOD, ...argv]);
    let output = '';
    flood.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await work();
    if (flood.exitCode === null) await once(flood, 'exit');
    return Number(output);
  }

  before(async () => {
    hosts = await twoHosts();
    await hosts[0].ip('route', 'add', '198.18.0.0/15', 'via', '192.0.2.2');
    await hosts[1].ip('route', 'add', 'local', '198.18.0.0/15', 'dev', 'lo');
    ends = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'] });
    await ping(ends[1].host, ends[0].address4);
  });
  after(async () => {
    for (const tunnelEnd of ends ?? []) await closeEnd(tunnelEnd);
    for (const host of hosts ?? []) await host.close();
  });

  it('leaves a tunnel half the throughput that it has while the flood meets a closed port', async (t) => {
    const measured: Record<string, number> = {};
    const transfer = (name: string) => async () => {
      const { bitsPerSecond } = await iperf3(ends[1].host, ends[0].host, ends[0].address4, { seconds: 8 });
      measured[name] = bitsPerSecond / 1e9;
    };
    const offeredClosed = await underFlood(CLOSED_PORT, transfer('closed'));
    const offered = await underFlood(51_821, transfer('open'));
    const figures = `${measured.open.toFixed(2)} of ${measured.closed.toFixed(2)} Gbit/s`;
    t.diagnostic(`${figures}, with ${offered} and ${offeredClosed} datagrams a second offered`);
    assert.ok(measured.open >= measured.closed / 2, figures);
  });

  it('lets a new peer in, who answers with a cookie', async () => {
    const name = `wf${process.pid % 1_000_000}`;
    const host = hosts[1];
    const child = await startDevice(host, name, 'wireguard-go');
    try {
      const privateKey = execFileSync('wg', ['genkey'], { encoding: 'utf8' }).trim();
      const publicKey = execFileSync('wg', ['pubkey'], { encoding: 'utf8', input: privateKey }).trim();
      await ends[0].host.run(['wg', 'set', ends[0].interfaceName, 'peer', publicKey, 'allowed-ips', '10.88.0.2/32']);
      await ends[0].host.ip('address', 'add', '10.88.0.1/24', 'dev', ends[0].interfaceName);
      await withFile(privateKey, (file) => host.run(['wg', 'set', name, 'private-key', file]));
      const peer = ['peer', ends[0].publicKey, 'allowed-ips', '10.88.0.1/32', 'endpoint', ends[0].endpoint4];
      await host.run(['wg', 'set', name, ...peer]);
      await host.ip('address', 'add', '10.88.0.2/24', 'dev', name);
      await host.ip('link', 'set', name, 'up');
      await underFlood(51_821, async () => {
        const answered = await ping(host, '10.88.0.1', { count: 45, interval: 0.2 });
        assert.ok(answered > 0, 'at least one ping was answered');
      });
    } finally {
      await end(child);
    }
  });
});
