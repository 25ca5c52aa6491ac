/** Peers and allowed IPs that come, go and change hands while traffic runs. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { twoHosts, until, withFile, type Host } from './hosts.ts';
import { latestHandshake, openTunnel, removePeer, setPeer, shown, tearDown, type TunnelEnd } from './tunnel.ts';
import { iperf3, ping } from './traffic.ts';

/** Seconds of TCP that the changes are made under. */
const SECONDS = 6;
/** In seconds. What makes the changes are processes, too, that share the machine with the tunnel. */
const LONGEST_STALL = 2;

describe('under traffic', () => {
  let hosts: [Host, Host];
  let ends: [TunnelEnd, TunnelEnd];
  let ours: TunnelEnd;
  let theirs: TunnelEnd;

  before(async () => {
    hosts = await twoHosts();
    ends = await openTunnel(hosts, { implementations: ['wireguard-ts', 'wireguard-ts'] });
    [ours, theirs] = ends;
    await theirs.host.ip('address', 'add', '10.200.0.1/32', 'dev', 'lo');
    await ours.host.ip('route', 'add', '10.200.0.1/32', 'dev', ours.interfaceName);
  });
  after(() => tearDown(hosts, ends));

  /** Calls `change` again and again while TCP runs from our side. @returns how often */
  async function whileTcpRuns(change: () => Promise<void>): Promise<number> {
    let isRunning = true;
    const before = await sentBytes();
    const transfer = iperf3(ours.host, theirs.host, theirs.address4, { seconds: SECONDS }).finally(
      () => (isRunning = false),
    );
    // To a peer that is not there no connection is opened, but an open one outlives its absence.
    await until('data flow', async () => (await sentBytes()) - before > 1_000_000);
    let changes = 0;
    while (isRunning) {
      await change();
      changes++;
    }
    const result = await transfer;
    assert.ok(result.receivedBytes > 1_000_000, `${result.receivedBytes} bytes`);
    assert.ok(result.longestStall <= LONGEST_STALL, `nothing moved for ${result.longestStall} s`);
    return changes;
  }

  async function sentBytes(): Promise<number> {
    return Number((await shown(ours, 'transfer')).get(theirs.publicKey)?.split('\t')[1]);
  }

  it('thousands of prefixes move from peer to peer and back', async () => {
    const strangers = [stranger(), stranger()];
    const prefixes = Array.from({ length: 4000 }, (_, i) => `10.128.${i >> 8}.${i & 255}/32`);
    prefixes.push('10.200.0.1/32');
    let [owner, other] = strangers;
    const changes = await whileTcpRuns(async () => {
      await setPeer(ours, owner, { allowedIps: prefixes });
      [owner, other] = [other, owner];
    });
    assert.ok(changes >= 4, `${changes} times`);
    const allowedIps = await shown(ours, 'allowed-ips');
    assert.deepEqual(allowedIps.get(other.publicKey)?.split(' ').sort(), [...prefixes].sort());
    assert.equal(allowedIps.get(owner.publicKey), '(none)');

    const reach = (): Promise<number> => ping(ours.host, '10.200.0.1', { count: 3, interval: 0.05 });
    assert.equal(await reach(), 0, 'it is a stranger’s');
    await setPeer(ours, theirs, { allowedIps: [`${theirs.address4}/32`, `${theirs.address6}/128`, '10.200.0.1/32'] });
    assert.equal(await reach(), 3, 'it is the peer’s that has it');
    for (const { publicKey } of strangers) await removePeer(ours, publicKey);
  });

  it('hundreds of peers that nobody answers for come and go', async () => {
    const before = residentBytes(ours);
    const changes = await whileTcpRuns(async () => {
      const strangers = Array.from({ length: 200 }, stranger);
      const sections = strangers.map(({ publicKey }, i) =>
        [
          '[Peer]',
          `PublicKey = ${publicKey}`,
          `AllowedIPs = 10.129.0.${i}/32`,
          // Nobody listens there: on the peer's port they would use up what it grants handshakes from our address.
          'Endpoint = 192.0.2.2:9',
          'PersistentKeepalive = 1',
        ].join('\n'),
      );
      await withFile(`${sections.join('\n')}\n`, (file) => ours.host.run(['wg', 'addconf', ours.interfaceName, file]));
      const removal = strangers.flatMap(({ publicKey }) => ['peer', publicKey, 'remove']);
      await ours.host.run(['wg', 'set', ours.interfaceName, ...removal]);
    });
    assert.ok(changes >= 4, `${changes} times`);
    assert.deepEqual([...(await shown(ours, 'endpoints')).keys()], [theirs.publicKey]);
    const grown = residentBytes(ours) - before;
    assert.ok(grown < 100e6, `the process grew by ${grown} bytes`);
  });

  it('the very peer that carries it is removed and added again, and missed no longer than it is away', async () => {
    const count = 300;
    const pings = ping(ours.host, theirs.address4, { count, interval: 0.02 });
    const rounds = 8;
    for (let round = 0; round < rounds; round++) {
      await removePeer(ours, theirs.publicKey);
      await setPeer(ours, theirs, { endpoint: theirs.endpoint4 });
      // Its handshake is over with the next ping: a fresh peer need not wait for REKEY_TIMEOUT.
      await until('there is a session', async () => (await latestHandshake(ours)) > 0, 2000);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const answered = await pings;
    // Between the two commands lies the start of a process: some 20 ms here, and a busy machine may take ten times that.
    assert.ok(answered > count - rounds * 12, `${answered} of ${count}`);
    assert.equal(await ping(theirs.host, ours.address6), 5);
  });
});

/** Any 32 bytes are a public key. */
function stranger(): Pick<TunnelEnd, 'publicKey' | 'address4' | 'address6'> {
  return { publicKey: randomBytes(32).toString('base64'), address4: '10.77.0.99', address6: 'fd00:77::99' };
}

function residentBytes({ child }: TunnelEnd): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024;
}
