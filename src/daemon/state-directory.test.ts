import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { StateDirectory } from './state-directory.ts';

describe('a state directory', () => {
  const parent = mkdtempSync(join(tmpdir(), 'wiremesh-state-'));
  after(() => rmSync(parent, { recursive: true }));
  const path = join(parent, 'state');

  it('is made for its owner only, and is gone again if nothing was kept', () => {
    const state = StateDirectory.open(path);
    assert.equal(statSync(path).mode & 0o777, 0o700);
    state.close();
    assert.ok(!existsSync(path));
  });

  it('keeps keys and the sequence number', () => {
    const state = StateDirectory.open(path);
    const key = new Uint8Array(32).fill(7);
    state.storeKey('identity', key);
    state.storeSequence(1_700_000_000_001);
    state.storeSeqno(65_535);
    state.close();
    const again = StateDirectory.open(path);
    assert.deepEqual(again.readKey('identity'), key);
    assert.equal(again.readKey('wireguard'), undefined);
    assert.equal(again.readSequence(), 1_700_000_000_001);
    assert.equal(again.readSeqno(), 65_535);
    again.close();
  });

  it('takes a sequence number that makes no sense for none: the clock gives a higher one', () => {
    const state = StateDirectory.open(path);
    for (const text of ['', '-1\n', '12', '1e3\n', '99999999999999999999\n']) {
      writeFileSync(join(path, 'sequence'), text);
      assert.equal(state.readSequence(), 0, JSON.stringify(text));
    }
    writeFileSync(join(path, 'seqno'), '65536\n');
    assert.equal(state.readSeqno(), undefined);
    state.close();
  });

  it('belongs to one daemon at a time', () => {
    const state = StateDirectory.open(path);
    assert.throws(() => StateDirectory.open(path), /in use by another wiremesh daemon/);
    state.close();
    StateDirectory.open(path).close();
  });

  it('that others may enter is refused', () => {
    chmodSync(path, 0o750);
    assert.throws(() => StateDirectory.open(path), /run "chmod 700 /);
  });

  it('that belongs to another user is refused, though he has shut it', { skip: process.geteuid?.() !== 0 }, () => {
    const other = join(parent, 'other');
    StateDirectory.open(other).storeSequence(1);
    chownSync(other, 65_534, 65_534);
    assert.throws(() => StateDirectory.open(other), /belongs to user 65534/);
  });

  it('that is a symbolic link is refused', () => {
    const link = join(parent, 'link');
    symlinkSync(parent, link);
    assert.throws(() => StateDirectory.open(link), /is a symbolic link/);
    assert.throws(() => StateDirectory.open(`${link}/`), /is a symbolic link/);
  });

  it('is made with the same rights under any umask', () => {
    for (const mask of [0, 0o777]) {
      const directory = join(parent, `mask-${mask}`);
      const before = process.umask(mask);
      try {
        const state = StateDirectory.open(directory);
        state.storeSequence(1);
        state.storeKey('identity', new Uint8Array(32));
        assert.equal(statSync(directory).mode & 0o777, 0o700);
        for (const name of ['sequence', 'identity.key']) {
          assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
        }
        state.close();
      } finally {
        process.umask(before);
      }
    }
  });

  it('that is a file is refused', () => {
    writeFileSync(join(parent, 'file'), '', { mode: 0o600 });
    assert.throws(
      () => StateDirectory.open(join(parent, 'file')),
      /ENOTDIR\): it is no directory, .* choose another with --state-dir/,
    );
  });
});
