/** Stock `wg` against wireguard-ts. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { end, Host, withFile } from './hosts.ts';
import { generateKey, nextInterfaceName, publicKeyOf, startDevice } from './tunnel.ts';
import { uapiPath } from './uapi-client.ts';

const NAME = nextInterfaceName();

describe('stock wg', () => {
  let host: Host;
  let child: Awaited<ReturnType<typeof startDevice>>;
  const privateKey = generateKey();
  const [peer, secondPeer] = [publicKeyOf(generateKey()), publicKeyOf(generateKey())];
  const presharedKey = generateKey('genpsk');
  const configuration = [
    '[Interface]',
    `PrivateKey = ${privateKey}`,
    'ListenPort = 51830',
    'FwMark = 0x77',
    '[Peer]',
    `PublicKey = ${peer}`,
    `PresharedKey = ${presharedKey}`,
    'AllowedIPs = 10.1.0.0/16, fd00:1::/32, 0.0.0.0/0',
    'Endpoint = 192.0.2.7:51820',
    'PersistentKeepalive = 25',
    '[Peer]',
    `PublicKey = ${secondPeer}`,
    'AllowedIPs = 10.2.0.0/16',
    'Endpoint = [2001:db8::7]:51821',
    '',
  ].join('\n');
  const wg = (...argv: string[]): Promise<string> => host.run(['wg', ...argv]);

  before(async () => {
    host = await Host.create('wg');
    child = await startDevice(host, NAME, 'wireguard-ts');
  });
  after(async () => {
    await end(child);
    await host.close();
  });

  it('reads back with showconf what setconf set', async () => {
    await withFile(configuration, (file) => wg('setconf', NAME, file));
    const shown = await wg('showconf', NAME);
    for (const line of [
      `PrivateKey = ${privateKey}`,
      'ListenPort = 51830',
      'FwMark = 0x77',
      `PresharedKey = ${presharedKey}`,
    ]) {
      assert.ok(shown.includes(line), line);
    }
    assert.equal(await wg('show', NAME, 'public-key'), `${publicKeyOf(privateKey)}\n`);
    const allowedIps = await wg('show', NAME, 'allowed-ips');
    for (const prefix of ['10.1.0.0/16', 'fd00:1::/32', '0.0.0.0/0', '10.2.0.0/16'])
      assert.ok(allowedIps.includes(prefix), prefix);
    assert.ok((await wg('show', NAME, 'endpoints')).includes(`${secondPeer}\t[2001:db8::7]:51821`));
    assert.ok((await wg('show', NAME, 'persistent-keepalive')).includes(`${peer}\t25`));
  });

  it('syncconf takes away what is no longer there and leaves the rest', async () => {
    const withoutSecond = configuration.slice(0, configuration.lastIndexOf('[Peer]'));
    await withFile(withoutSecond, (file) => wg('syncconf', NAME, file));
    assert.equal((await wg('show', NAME, 'peers')).trim(), peer);
    assert.ok((await wg('show', NAME, 'preshared-keys')).includes(presharedKey));
  });

  it('set moves an allowed IP from one peer to another', async () => {
    await wg('set', NAME, 'peer', secondPeer, 'allowed-ips', '10.1.0.0/16');
    const lines = (await wg('show', NAME, 'allowed-ips')).trim().split('\n');
    assert.deepEqual(
      lines.filter((line) => line.includes('10.1.0.0/16')),
      [`${secondPeer}\t10.1.0.0/16`],
    );
  });

  it('set removes a peer', async () => {
    await wg('set', NAME, 'peer', secondPeer, 'remove');
    assert.equal((await wg('show', NAME, 'peers')).trim(), peer);
  });

  it('is told that a port is in use', async () => {
    const other = host.start([
      process.execPath,
      '-e',
      "require('dgram').createSocket('udp4').bind(51899, () => console.log('bound'))",
    ]);
    await new Promise((resolve) => other.stdout?.once('data', resolve));
    await assert.rejects(wg('set', NAME, 'listen-port', '51899'), /Address already in use/);
    await end(other);
  });

  it('finds the socket readable by root alone', () => {
    assert.equal(statSync(uapiPath(NAME)).mode & 0o777, 0o600);
  });
});
