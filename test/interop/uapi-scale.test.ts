/** A configuration of 10,000 peers, set and read back with stock `wg`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { end, Host, withFile } from './hosts.ts';
import { generateKey, nextInterfaceName, startDevice, type Implementation } from './tunnel.ts';

const PEERS = 10_000;
/** Each step takes less on a machine with two cores that has other things to do; half a second on an idle one. */
const LIMIT = 5_000;

function publicKey(index: number): string {
  return createHash('sha256').update(String(index)).digest('base64');
}

function allowedIps(index: number): string[] {
  const [high, low] = [index >>> 8, index & 0xff];
  return [`10.${high}.${low}.0/24`, `172.16.${high}.${low}/32`, `fd00:${index.toString(16)}::/64`];
}

function configuration(privateKey: string, keepalive: string): string {
  const peers = Array.from({ length: PEERS }, (_, index) => [
    '[Peer]',
    `PublicKey = ${publicKey(index)}`,
    `AllowedIPs = ${allowedIps(index).join(', ')}`,
    `Endpoint = 192.0.2.${(index % 250) + 1}:${1000 + index}`,
    ...(index === PEERS - 1 ? [`PersistentKeepalive = ${keepalive}`] : []),
  ]);
  return ['[Interface]', `PrivateKey = ${privateKey}`, ...peers.flat(), ''].join('\n');
}

describe(`a configuration of ${PEERS} peers with three allowed IPs each`, () => {
  const privateKey = generateKey();
  const first = configuration(privateKey, '25');
  const dumps = new Map<Implementation, string[]>();
  const hosts: Host[] = [];
  const children: Awaited<ReturnType<typeof startDevice>>[] = [];

  after(async () => {
    for (const child of children) await end(child);
    for (const host of hosts) await host.close();
  });

  for (const implementation of ['wireguard-ts', 'wireguard-go'] as const) {
    describe(`with ${implementation}`, () => {
      const name = nextInterfaceName();
      let host: Host;

      before(async () => {
        host = await Host.create('scale');
        hosts.push(host);
        children.push(await startDevice(host, name, implementation));
      });

      /** Runs `wg` and says how long it took. */
      const wg = async (what: string, argv: readonly string[]): Promise<string> => {
        const startedAt = performance.now();
        const output = await host.run(['wg', ...argv]);
        const took = performance.now() - startedAt;
        console.log(`${implementation}: wg ${what} took ${took.toFixed(0)} ms`);
        if (implementation === 'wireguard-ts') assert.ok(took < LIMIT, `${what}: ${took} ms`);
        return output;
      };

      it('is set with setconf', async () => {
        assert.ok(first.length > 1_000_000);
        await withFile(first, (file) => wg('setconf', ['setconf', name, file]));
      });

      it('is read back with show', async () => {
        // Behind the device's own line: peers, in any order. The last is sent keepalives, so its counters are not ours.
        const lines = (await wg('show dump', ['show', name, 'dump'])).trim().split('\n').slice(1);
        assert.equal(lines.length, PEERS);
        dumps.set(implementation, lines.map((line) => line.split('\t').slice(0, 4).join('\t')).sort());
        const last = lines.find((line) => line.startsWith(publicKey(PEERS - 1)))!.split('\t');
        assert.deepEqual([last[3], last[7]], [allowedIps(PEERS - 1).join(','), '25']);
      });

      it('is written down with showconf, and that is the same configuration', async () => {
        const shown = await wg('showconf', ['showconf', name]);
        assert.equal(shown.match(/^PublicKey = /gm)?.length, PEERS);
        await withFile(shown, (file) => wg('setconf of what showconf wrote', ['setconf', name, file]));
        const lines = (await host.run(['wg', 'show', name, 'dump'])).trim().split('\n').slice(1);
        assert.deepEqual(
          lines.map((line) => line.split('\t').slice(0, 4).join('\t')).sort(),
          dumps.get(implementation),
        );
      });

      it('is changed in one place with syncconf', async () => {
        await withFile(configuration(privateKey, '30'), (file) => wg('syncconf', ['syncconf', name, file]));
        const intervals = (await host.run(['wg', 'show', name, 'persistent-keepalive'])).trim().split('\n');
        assert.deepEqual(
          intervals.filter((line) => !line.endsWith('\toff')),
          [`${publicKey(PEERS - 1)}\t30`],
        );
      });
    });
  }

  it('looks the same with both', () => {
    assert.deepEqual(dumps.get('wireguard-ts'), dumps.get('wireguard-go'));
  });
});
