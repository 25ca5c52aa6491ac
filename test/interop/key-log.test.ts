/** A capture of real traffic, read by Wireshark's tshark with the key log that wireguard-ts wrote, and without. */
import assert from 'node:assert/strict';
import { execFileSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { end, Host, twoHosts } from './hosts.ts';
import { closeEnd, openTunnel, WIREGUARD_TS, type TunnelEnd } from './tunnel.ts';

/** What the pings carry, in hexadecimal: it must show in what tshark decrypts and nowhere else. */
const PAYLOAD = Buffer.from('read me, if ever').toString('hex');
/** What tshark prints of each frame, one column each. */
const FIELDS = ['wg.type', 'wg.timestamp.value', 'wg.handshake_ok', 'icmp.type', 'data.data'];
const INITIATION = '1';
const RESPONSE = '2';
const ECHO_REPLY = '0';

interface Frame {
  readonly type: string;
  /** Of an initiation tshark shows the timestamp that was sealed in it, of a response that the keys fit it. */
  readonly isHandshakeOpen: boolean;
  readonly icmpType: string;
  readonly payload: string;
}

const fieldOptions = ['-T', 'fields', ...FIELDS.flatMap((field) => ['-e', field])];

function readFrames(output: string): Frame[] {
  const rows = output.split('\n').filter((line) => line !== '');
  return rows
    .map((row) => row.split('\t'))
    .map(([type, timestamp, ok, icmpType, payload]) => ({
      type,
      // Later versions spell it out.
      isHandshakeOpen: timestamp !== '' || ok === '1' || ok === 'True',
      icmpType,
      payload,
    }));
}

const isDecryptedReply = ({ icmpType, payload }: Frame): boolean =>
  icmpType === ECHO_REPLY && payload.includes(PAYLOAD);

describe('a key log of wireguard-ts', () => {
  let hosts: [Host, Host];
  let folder: string;

  before(async () => {
    hosts = await twoHosts();
    folder = mkdtempSync(join(tmpdir(), 'wiremesh-key-log-'));
  });
  after(async () => {
    for (const host of hosts ?? []) await host.close();
    rmSync(folder, { recursive: true });
  });

  for (const role of ['initiator', 'responder'] as const) {
    for (const hasPresharedKey of [false, true]) {
      const name = `${role}, ${hasPresharedKey ? 'with' : 'without'} a preshared key`;
      it(`has tshark read handshake and packets while they are captured: ${name}`, async () => {
        const files = join(folder, `${role}-${hasPresharedKey}`);
        const [keyLog, capture] = [`${files}.keys`, `${files}.pcapng`];
        const presharedKey = execFileSync('wg', ['genpsk'], { encoding: 'utf8' });
        const ends = await openTunnel(hosts, {
          implementations: ['wireguard-ts', 'wireguard-go'],
          env: { WG_KEYLOGFILE: keyLog },
          ...(hasPresharedKey && { presharedKey }),
        });
        const live = await captureLive(hosts[1], capture, keyLog);
        try {
          const [ours, theirs] = ends;
          if (role === 'initiator') await pingWithPayload(ours, theirs);
          else await pingWithPayload(theirs, ours);
          const frames = await live.framesUntil(isDecryptedReply);
          for (const type of [INITIATION, RESPONSE]) {
            assert.ok(frames.find((frame) => frame.type === type)?.isHandshakeOpen, `message ${type} is read`);
          }
        } finally {
          await end(live.child);
          for (const tunnelEnd of ends) await closeEnd(tunnelEnd);
        }

        const blind = readFrames(tshark('-r', capture, ...fieldOptions));
        assert.ok(blind.length >= 4, 'the capture holds the traffic');
        assert.ok(blind.every((frame) => !frame.isHandshakeOpen && frame.icmpType === ''));
        assert.doesNotMatch(tshark('-r', capture, '-x'), /read me/);
        assert.equal(statSync(keyLog).mode & 0o777, 0o600);
        assert.equal(readFileSync(keyLog, 'latin1').includes('PRESHARED_KEY'), hasPresharedKey);
      });
    }
  }

  it('is announced on standard error, and refused where others could read it', async () => {
    const keyLog = join(folder, 'open.keys');
    writeFileSync(keyLog, '', { mode: 0o644 });
    await assert.rejects(
      hosts[0].run([process.execPath, WIREGUARD_TS, '--key-log', keyLog, 'wtkeys0']),
      /WARNING: .*open\.keys: whoever has this file can read the traffic\n.*open\.keys is open to others.*chmod 600/,
    );
    assert.doesNotMatch(await hosts[0].ip('-o', 'link', 'show'), /wtkeys0/);
  });
});

async function pingWithPayload(from: TunnelEnd, to: TunnelEnd): Promise<void> {
  await from.host.run(['ping', '-n', '-c', '2', '-i', '0.2', '-W', '5', '-p', PAYLOAD, to.address4]);
}

/** (Its standard error says that it should not run as root.) */
function tshark(...argv: string[]): string {
  return execFileSync('tshark', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

interface LiveCapture {
  readonly child: ChildProcess;
  /** All frames up to one that is wanted, as tshark showed them when they came. */
  framesUntil(isWanted: (frame: Frame) => boolean): Promise<Frame[]>;
}

/** Starts tshark on a host's wire; it reads the key log as that grows, and keeps the capture in `file`. */
async function captureLive(host: Host, file: string, keyLog: string): Promise<LiveCapture> {
  const argv = ['tshark', '-l', '-i', 'eth0', '-f', 'udp', '-w', file, '-P', '-o', `wg.keylog_file:${keyLog}`];
  const child = host.start([...argv, ...fieldOptions]);
  let output = '';
  let errors = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
      if (errors.includes('Capture started')) resolve();
    });
    child.once('exit', () => reject(new Error(`tshark ended: ${errors}`)));
  });
  return {
    child,
    framesUntil: (isWanted) =>
      new Promise((resolve, reject) => {
        const timeout = setTimeout(() => reject(new Error(`tshark did not decrypt it:\n${output}\n${errors}`)), 20_000);
        const look = () => {
          const frames = readFrames(output);
          if (!frames.some(isWanted)) return;

          clearTimeout(timeout);
          resolve(frames);
        };
        child.stdout?.on('data', look);
        look();
      }),
  };
}
