import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { KeyLog, KeyLogError } from './key-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'wiremesh-key-log-'));
after(() => rmSync(folder, { recursive: true }));

const key = (byte: number) => new Uint8Array(32).fill(byte);
const secrets = (presharedKey = key(0)) => ({
  localStaticPrivateKey: key(1),
  remoteStaticPublicKey: key(2),
  localEphemeralPrivateKey: key(3),
  presharedKey,
});
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

describe('a key log', () => {
  it('is made for its owner alone and holds the lines that Wireshark knows, each handshake behind the last', () => {
    const path = join(folder, 'new');
    const mask = process.umask(0);
    const log = new KeyLog(path);
    process.umask(mask);
    log.write(secrets());
    log.write(secrets(key(4)));
    log.close();
    const common = [
      `LOCAL_STATIC_PRIVATE_KEY = ${base64(key(1))}`,
      `REMOTE_STATIC_PUBLIC_KEY = ${base64(key(2))}`,
      `LOCAL_EPHEMERAL_PRIVATE_KEY = ${base64(key(3))}`,
    ];
    const expected = [...common, ...common, `PRESHARED_KEY = ${base64(key(4))}`, ''];
    assert.deepEqual(readFileSync(path, 'latin1').split('\n'), expected);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('goes on behind what a file holds already', () => {
    const path = join(folder, 'old');
    writeFileSync(path, 'older\n', { mode: 0o600 });
    const log = new KeyLog(path);
    log.write(secrets());
    log.close();
    assert.match(readFileSync(path, 'latin1'), /^older\nLOCAL_STATIC/);
  });

  it('wipes what it was handed, also when the file cannot take it', () => {
    const log = new KeyLog(join(folder, 'wiped'));
    const isWiped = (written: ReturnType<typeof secrets>) =>
      Object.values(written).every((bytes) => bytes.every((byte) => byte === 0));
    const written = secrets(key(4));
    log.write(written);
    assert.ok(isWiped(written));
    log.close();
    const unwritten = secrets(key(4));
    assert.throws(() => log.write(unwritten), KeyLogError);
    assert.ok(isWiped(unwritten));
  });

  const refused: [why: string, make: (path: string) => void, message: RegExp][] = [
    ['its group can read', (path) => writeFileSync(path, '', { mode: 0o640 }), /run "chmod 600 /],
    ['everybody can write', (path) => (writeFileSync(path, ''), chmodSync(path, 0o602)), /run "chmod 600 /],
    ['is a link to elsewhere', (path) => symlinkSync('/dev/null', path), /symbolic link/],
    ['is a pipe that nobody reads', (path) => execFileSync('mkfifo', ['-m', '600', path]), /ENXIO/],
    ['is a folder', (path) => mkdirSync(path, { mode: 0o700 }), /EISDIR/],
  ];
  for (const [why, make, message] of refused) {
    it(`refuses a file that ${why}, in one line`, () => {
      const path = join(folder, why.replaceAll(' ', '-'));
      make(path);
      assert.throws(
        () => new KeyLog(path),
        (error) => error instanceof KeyLogError && message.test(error.message) && !error.message.includes('\n'),
      );
    });
  }

  it('refuses a place that is not there', () => {
    assert.throws(() => new KeyLog(join(folder, 'missing', 'file')), /ENOENT.*name a file/);
  });
});
