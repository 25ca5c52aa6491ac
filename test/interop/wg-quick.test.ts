/** Stock `wg-quick` with wireguard-ts in the place of the kernel's module. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Host, twoHosts, until } from './hosts.ts';
import { ping } from './traffic.ts';
import { generateKey, nextInterfaceName, publicKeyOf, WIREGUARD_TS } from './tunnel.ts';
import { uapiPath } from './uapi-client.ts';

const NAME = nextInterfaceName();
const OTHER_NAME = nextInterfaceName();

/** What wg-quick may change on a host. */
async function footprint(host: Host): Promise<string> {
  const parts = [
    ['ip', '-o', 'link'],
    ['ip', '-4', 'rule'],
    ['ip', '-6', 'rule'],
    ['ip', '-4', 'route', 'show', 'table', 'all'],
    ['ip', '-6', 'route', 'show', 'table', 'all'],
    ['nft', 'list', 'ruleset'],
  ];
  const output = (await Promise.all(parts.map((argv) => host.run(argv)))).join('\n');
  // The kernel gives the wire its link-local address in its own time.
  return output
    .split('\n')
    .filter((line) => !/ (fe80|ff00)::/.test(` ${line}`))
    .join('\n');
}

describe('wg-quick', () => {
  let hosts: [Host, Host];
  let host: Host;
  let folder: string;
  let configuration: string;
  let untouched: string;
  let env: NodeJS.ProcessEnv;
  let isUp = false;
  const privateKey = generateKey();
  const peer = publicKeyOf(generateKey());
  const quick = async (verb: 'up' | 'down' | 'strip'): Promise<string> => {
    const output = await host.run(['wg-quick', verb, configuration], { env });
    if (verb !== 'strip') isUp = verb === 'up';
    return output;
  };
  const configure = (own: readonly string[], peerLines: readonly string[], peerKey = peer): void => {
    const lines = [
      '[Interface]',
      `PrivateKey = ${privateKey}`,
      ...own,
      '[Peer]',
      `PublicKey = ${peerKey}`,
      ...peerLines,
    ];
    writeFileSync(configuration, `${lines.join('\n')}\n`, { mode: 0o600 });
  };
  const record = (): string => readFileSync(join(folder, 'record'), 'utf8');

  before(async () => {
    hosts = await twoHosts();
    [host] = hosts;
  });
  after(async () => {
    for (const each of hosts ?? []) await each.close();
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wiremesh-wg-quick-'));
    configuration = join(folder, `${NAME}.conf`);
    // In the place of the machine's own: /etc/resolv.conf is not ours to change.
    const resolvconf = join(folder, 'resolvconf');
    writeFileSync(
      resolvconf,
      `#!/bin/sh\necho "resolvconf $*" >> ${folder}/record\n[ "$1" != -a ] || cat >> ${folder}/record\n`,
    );
    chmodSync(resolvconf, 0o755);
    env = { WG_QUICK_USERSPACE_IMPLEMENTATION: WIREGUARD_TS, PATH: `${folder}:${process.env.PATH}` };
    untouched = await footprint(host);
  });
  afterEach(async () => {
    if (isUp) await quick('down');
    rmSync(folder, { recursive: true });
  });
  const assertUntouched = async (): Promise<void> => {
    await until('the socket is gone', async () => !existsSync(uapiPath(NAME)));
    await until('the host is as it was', async () => (await footprint(host)) === untouched);
  };

  it('brings all of a configuration up, and takes it down without a trace', async () => {
    configure(
      [
        'Address = 10.99.0.1/24, fd00:99::1/64',
        'Address = 10.99.1.1/32',
        'DNS = 10.99.0.53, fd00:99::53, example.net',
        'MTU = 1380',
        'ListenPort = 51833',
        `PostUp = echo up %i >> ${folder}/record; ip link show %i >> ${folder}/record`,
        `PreDown = echo down %i >> ${folder}/record; wg show %i listen-port >> ${folder}/record`,
      ],
      ['AllowedIPs = 10.99.0.0/24, 10.98.0.0/16, fd00:98::/32', 'Endpoint = 192.0.2.2:51820'],
    );
    await quick('up');
    assert.match(await host.ip('-o', 'link', 'show', NAME), /UP.* mtu 1380 /);
    assert.match(
      await host.ip('-o', 'address', 'show', NAME),
      /10\.99\.0\.1\/24[\s\S]*10\.99\.1\.1\/32[\s\S]*fd00:99::1\/64/,
    );
    assert.match(await host.ip('route', 'show', 'dev', NAME), /10\.98\.0\.0\/16/);
    assert.match(await host.ip('-6', 'route', 'show', 'dev', NAME), /fd00:98::\/32/);
    assert.match(
      await host.run(['wg', 'show', NAME]),
      /allowed ips: 10\.99\.0\.0\/24, 10\.98\.0\.0\/16, fd00:98::\/32/,
    );
    assert.match(
      record(),
      new RegExp(
        `resolvconf -a \\S*${NAME} -m 0 -x\\nnameserver 10.99.0.53\\nnameserver fd00:99::53\\nsearch example.net`,
      ),
    );
    assert.match(record(), new RegExp(`up ${NAME}\\n\\d+: ${NAME}: <[^>]*UP`));

    await quick('down');
    assert.match(record(), new RegExp(`down ${NAME}\\n51833\\nresolvconf -d \\S*${NAME}`));
    await assertUntouched();
  });

  it('leaves room for the tunnel in the MTU of the way to the peer, where none is given', async () => {
    await host.ip('route', 'add', '192.0.2.2', 'dev', 'eth0', 'mtu', '1400');
    try {
      configure(['Address = 10.99.0.1/24'], ['AllowedIPs = 10.99.0.0/24', 'Endpoint = 192.0.2.2:51820']);
      await quick('up');
      assert.match(await host.ip('-o', 'link', 'show', NAME), / mtu 1320 /);
      await quick('down');
    } finally {
      await host.ip('route', 'delete', '192.0.2.2', 'dev', 'eth0');
    }
  });

  it('makes no routes with Table=off', async () => {
    configure(['Address = 10.99.0.1/32', 'Table = off'], ['AllowedIPs = 10.98.0.0/16, 0.0.0.0/0']);
    await quick('up');
    assert.equal((await host.ip('-4', 'route', 'show', 'dev', NAME)).trim(), '');
    assert.doesNotMatch(await host.ip('-4', 'rule'), /fwmark/);
    await quick('down');
    await assertUntouched();
  });

  it('makes its routes in the table that is named', async () => {
    configure(['Address = 10.99.0.1/32', 'Table = 777'], ['AllowedIPs = 10.98.0.0/16, 0.0.0.0/0']);
    await quick('up');
    const routes = await host.ip('-4', 'route', 'show', 'table', '777');
    assert.match(routes, new RegExp(`default dev ${NAME}`));
    assert.match(routes, new RegExp(`10\\.98\\.0\\.0/16 dev ${NAME}`));
    assert.doesNotMatch(await host.ip('-4', 'rule'), /fwmark/);
    await quick('down');
    await assertUntouched();
  });

  it('writes down with SaveConfig what was changed', async () => {
    const second = publicKeyOf(generateKey());
    configure(['Address = 10.99.0.1/24', 'SaveConfig = true'], ['AllowedIPs = 10.99.0.2/32']);
    await quick('up');
    await host.run(['wg', 'set', NAME, 'peer', second, 'allowed-ips', '10.99.0.3/32', 'endpoint', '[2001:db8::2]:9']);
    await host.run(['wg', 'set', NAME, 'fwmark', '0x77']);
    await quick('down');
    const saved = readFileSync(configuration, 'utf8');
    for (const line of [
      'Address = 10.99.0.1/24',
      'SaveConfig = true',
      'FwMark = 0x77',
      `PrivateKey = ${privateKey}`,
      `PublicKey = ${peer}`,
      `PublicKey = ${second}`,
      'AllowedIPs = 10.99.0.3/32',
      'Endpoint = [2001:db8::2]:9',
    ]) {
      assert.ok(saved.split('\n').includes(line), `${line} in\n${saved.replace(privateKey, '…')}`);
    }
    await assertUntouched();
  });

  it('strips a configuration to what syncconf takes, which keeps the peers that stay', async () => {
    const own = ['Address = 10.99.0.1/24', 'ListenPort = 51833'];
    configure(own, ['AllowedIPs = 10.99.0.2/32', 'Endpoint = 192.0.2.2:1']);
    await quick('up');
    const second = publicKeyOf(generateKey());
    configure(own, ['AllowedIPs = 10.99.0.2/32', '[Peer]', `PublicKey = ${second}`, 'AllowedIPs = 10.99.0.3/32']);
    assert.doesNotMatch(await quick('strip'), /Address/);
    await host.run(['bash', '-c', 'wg syncconf "$0" <(wg-quick strip "$1")', NAME, configuration], { env });
    const dump = await host.run(['wg', 'show', NAME, 'dump']);
    assert.match(dump, new RegExp(`^${escape(peer)}\t\\S+\t192\\.0\\.2\\.2:1\t10\\.99\\.0\\.2/32\t`, 'm'));
    assert.match(dump, new RegExp(`^${escape(second)}\t\\S+\t\\S+\t10\\.99\\.0\\.3/32\t`, 'm'));
    await quick('down');
  });

  it('sends everything through the tunnel but the tunnel itself', async () => {
    const theirKey = generateKey();
    const [, there] = hosts;
    const theirs = join(folder, `${OTHER_NAME}.conf`);
    const lines = [
      ...['[Interface]', `PrivateKey = ${theirKey}`, 'ListenPort = 51820', 'Address = 10.66.0.2/24, fd00:66::2/64'],
      ...['[Peer]', `PublicKey = ${publicKeyOf(privateKey)}`, 'AllowedIPs = 10.66.0.1/32, fd00:66::1/128'],
    ];
    writeFileSync(theirs, `${lines.join('\n')}\n`, { mode: 0o600 });
    configure(
      ['Address = 10.66.0.1/32, fd00:66::1/128'],
      ['AllowedIPs = 0.0.0.0/0, ::/0', 'Endpoint = 192.0.2.2:51820'],
      publicKeyOf(theirKey),
    );
    // Addresses that no route of this host leads to, but the default.
    await there.ip('address', 'add', '198.51.100.1/32', 'dev', 'lo');
    await there.ip('address', 'add', '2001:db8:1::1/128', 'dev', 'lo');
    await there.run(['wg-quick', 'up', theirs], { env });
    try {
      await quick('up');
      for (const family of ['-4', '-6']) {
        const rules = await host.ip(family, 'rule');
        assert.match(rules, /not from all fwmark 0xca6c lookup 51820/);
        assert.match(rules, /from all lookup main suppress_prefixlength 0/);
        assert.match(await host.ip(family, 'route', 'show', 'table', '51820'), new RegExp(`default dev ${NAME}`));
      }
      assert.match(await host.run(['nft', 'list', 'ruleset']), new RegExp(`wg-quick-${NAME}`));
      assert.equal((await host.run(['wg', 'show', NAME, 'fwmark'])).trim(), '0xca6c');
      for (const address of ['10.66.0.2', '198.51.100.1', 'fd00:66::2', '2001:db8:1::1'])
        assert.equal(await ping(host, address), 5, address);
      // What went out went out once: 20 echoes of 100 bytes and their answers, not a packet in a packet in a packet.
      const [, received, sent] = (await host.run(['wg', 'show', NAME, 'transfer'])).trim().split('\t').map(Number);
      assert.ok(sent > 20 * 84 && sent < 6_000, `${sent} bytes sent`);
      assert.ok(received > 20 * 84 && received < 6_000, `${received} bytes received`);
      await quick('down');
    } finally {
      await there.run(['wg-quick', 'down', theirs], { env });
    }
    await assertUntouched();
  });
});

/** Base64 in a regular expression. */
function escape(text: string): string {
  return text.replaceAll(/[+/]/g, '\\$&');
}
