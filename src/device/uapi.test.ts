import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEndpoint, formatPrefix, parseEndpoint, parsePrefix, type Prefix } from '../inet/index.ts';
import { millis } from '../machine/index.ts';
import { formatState, SetOperation, UapiSyntaxError } from './uapi.ts';

const KEY = 'ab'.repeat(32);
const OTHER_KEY = 'cd'.repeat(32);
const noZones = (): undefined => undefined;

function read(lines: readonly string[], resolveZone: (name: string) => number | undefined = noZones) {
  const operation = new SetOperation(resolveZone);
  for (const line of lines) operation.handleLine(line);
  return operation.change();
}

describe('a set operation', () => {
  it('leaves alone what it does not name', () => {
    assert.deepEqual(read([]), {});
  });

  it('reads the keys of the device, then peers with theirs', () => {
    const change = read([
      `private_key=${KEY}`,
      'listen_port=51820',
      'fwmark=119',
      'replace_peers=true',
      `public_key=${OTHER_KEY}`,
      `preshared_key=${KEY}`,
      'endpoint=192.0.2.1:51821',
      'persistent_keepalive_interval=25',
      'replace_allowed_ips=true',
      'allowed_ip=10.1.2.3/8',
      'allowed_ip=-fd00::/8',
      'protocol_version=1',
      `public_key=${KEY}`,
      'update_only=true',
      'remove=true',
    ]);
    assert.equal(change.listenPort, 51_820);
    assert.equal(change.fwmark, 0x77);
    assert.equal(change.replacePeers, true);
    assert.equal(change.privateKey?.length, 32);
    const [first, second] = change.peers ?? [];
    assert.equal(formatEndpoint(first.endpoint!), '192.0.2.1:51821');
    assert.equal(first.persistentKeepalive, 25);
    assert.equal(first.replaceAllowedIps, true);
    assert.deepEqual(
      first.allowedIps?.map(({ prefix, remove }) => [formatPrefix(prefix), remove ?? false]),
      [
        ['10.0.0.0/8', false],
        ['fd00::/8', true],
      ],
    );
    assert.deepEqual([second.updateOnly, second.remove], [true, true]);
  });

  it('resolves the zone of a link-local endpoint, be it a name or a number', () => {
    const zones = (name: string): number | undefined => (name === 'eth0' ? 7 : undefined);
    for (const zone of ['eth0', '7']) {
      const { peers } = read([`public_key=${KEY}`, `endpoint=[fe80::1%${zone}]:51820`], zones);
      assert.equal(peers?.[0].endpoint?.scopeId, 7);
    }
  });

  it('forgets allowed IPs that stand before replace_allowed_ips', () => {
    const [first] = read([
      `public_key=${KEY}`,
      'allowed_ip=10.0.0.0/8',
      'replace_allowed_ips=true',
      'allowed_ip=11.0.0.0/8',
    ]).peers!;
    assert.equal(first.replaceAllowedIps, true);
    assert.deepEqual(
      first.allowedIps?.map(({ prefix }) => formatPrefix(prefix)),
      ['11.0.0.0/8'],
    );
  });

  it('takes leading zeros, as other implementations do', () => {
    assert.equal(read(['listen_port=0000051820']).listenPort, 51_820);
  });

  for (const [why, lines] of [
    ['a key of the wrong length', ['private_key=abcd']],
    ['a port beyond 65535', ['listen_port=65536']],
    ['a number that is not decimal', ['fwmark=0x77']],
    ['an address without the length of its prefix', [`public_key=${KEY}`, 'allowed_ip=10.0.0.1']],
    ['a prefix to be added that says so', [`public_key=${KEY}`, 'allowed_ip=+10.0.0.0/8']],
    ['a zone that is no index', [`public_key=${KEY}`, 'endpoint=[fe80::1%4294967296]:1']],
    ['an IPv4 address in brackets', [`public_key=${KEY}`, 'endpoint=[192.0.2.1]:1']],
    ['a flag that is not true', ['replace_peers=yes']],
    ['a key that nobody knows', ['colour=blue']],
    ['a key of Object', ['constructor=1']],
    ['a line without a value', ['listen_port']],
    ['a key of peers before the first peer', ['endpoint=192.0.2.1:1']],
    ['a key of the device behind a peer', [`public_key=${KEY}`, 'listen_port=1']],
    ['a prefix that is too long', [`public_key=${KEY}`, 'allowed_ip=10.0.0.0/33']],
    ['an endpoint on an interface that is not there', [`public_key=${KEY}`, 'endpoint=[fe80::1%gone0]:1']],
    ['another version of the protocol', [`public_key=${KEY}`, 'protocol_version=2']],
  ] as const) {
    it(`refuses ${why}`, () => {
      assert.throws(() => read(lines), UapiSyntaxError);
    });
  }

  it('never repeats a value in its error: it may be a secret', () => {
    assert.throws(
      () => read([`private_key=${KEY}0`]),
      (error: Error) => !error.message.includes(KEY.slice(0, 8)),
    );
  });
});

describe('the answer to get', () => {
  it('lists the device, then each peer, in the order that wg expects', () => {
    const text = formatState({
      privateKey: new Uint8Array(32).fill(1),
      publicKey: undefined,
      listenPort: 51_820,
      fwmark: 0,
      peers: [
        {
          publicKey: new Uint8Array(32).fill(2),
          presharedKey: undefined,
          endpoint: parseEndpoint('[2001:db8::1]:7'),
          lastHandshakeAt: millis(1_700_000_000_250),
          txBytes: 10,
          rxBytes: 20,
          persistentKeepalive: 25,
          allowedIps: ['10.0.0.0/8', 'fd00::/64'].map((prefix) => parsePrefix(prefix) as Prefix),
        },
      ],
    });
    assert.deepEqual(text.split('\n'), [
      `private_key=${'01'.repeat(32)}`,
      'listen_port=51820',
      `public_key=${'02'.repeat(32)}`,
      `preshared_key=${'00'.repeat(32)}`,
      'protocol_version=1',
      'endpoint=[2001:db8::1]:7',
      'last_handshake_time_sec=1700000000',
      'last_handshake_time_nsec=250000000',
      'tx_bytes=10',
      'rx_bytes=20',
      'persistent_keepalive_interval=25',
      'allowed_ip=10.0.0.0/8',
      'allowed_ip=fd00::/64',
      '',
    ]);
  });
});
