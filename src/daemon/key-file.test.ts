import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { KeyFileError, readKeyFile, writeKeyFile } from './key-file.ts';

describe('a key file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wiremesh-keys-'));
  after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'identity.key');
  const key = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);

  function refusal(text: string, mode = 0o600): string {
    writeFileSync(path, text);
    chmodSync(path, mode);
    let message = '';
    assert.throws(
      () => readKeyFile(path),
      (error) => error instanceof KeyFileError && ((message = error.message), true),
    );
    assert.ok(message.includes(path) && !message.includes('\n'), message);
    return message;
  }

  it('that does not exist is no key', () => {
    assert.equal(readKeyFile(join(directory, 'none')), undefined);
  });

  it('comes back as it was written, readable by its owner only, with nothing left beside it', () => {
    writeFileSync(`${path}.new`, 'what a crash left', { mode: 0o666 });
    writeKeyFile(path, key);
    assert.deepEqual(readKeyFile(path), key);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(directory), ['identity.key']);
  });

  const line = Buffer.from(key).toString('base64');
  const corrupt: [why: string, text: string][] = [
    ['cut short', line.slice(0, 20)],
    ['with a second line', `${line}\n${line}\n`],
    ['with a character that base64 does not have', `${line.slice(0, 10)}*${line.slice(11)}\n`],
    ['with a byte too many', `${Buffer.from([...key, 1]).toString('base64')}\n`],
  ];
  for (const [why, text] of corrupt) {
    it(`${why} is refused with what to do, and without its content`, () => {
      const message = refusal(text);
      assert.match(message, /is corrupt.*restore it from a backup, or move it away/);
      assert.ok(!message.includes(line.slice(0, 8)));
    });
  }

  it('that is empty is refused', () => {
    assert.match(refusal(''), /is empty: restore it/);
  });

  it('that others may read is refused', () => {
    assert.match(refusal(`${line}\n`, 0o640), /run "chmod 600 /);
    assert.equal(readFileSync(path, 'latin1'), `${line}\n`);
  });
});
