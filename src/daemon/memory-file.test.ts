import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { writeMemory } from '../mesh/memory/index.ts';
import { readMemoryFile, writeMemoryFile } from './memory-file.ts';

const MEMORY = writeMemory({ meshName: 'home', nodes: [], called: [] }, identityPrimitives);

describe('the file of what is known of others', () => {
  const parent = mkdtempSync(join(tmpdir(), 'wiremesh-memory-'));
  after(() => rmSync(parent, { recursive: true }));
  const path = join(parent, 'nodes');

  it('is read as it was written, for its owner only', () => {
    writeMemoryFile(path, MEMORY);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readMemoryFile(path), { memory: MEMORY });
  });

  it('is nothing where there is none', () => {
    assert.deepEqual(readMemoryFile(join(parent, 'none')), {});
  });

  it('is not believed when it is damaged', () => {
    writeMemoryFile(path, MEMORY.subarray(1));
    assert.match(readMemoryFile(path).problem ?? '', /nodes is damaged, or of another version: /);
    truncateSync(path, 0);
    assert.match(readMemoryFile(path).problem ?? '', /is damaged/);
    truncateSync(path, 9 * 1024 * 1024);
    assert.match(readMemoryFile(path).problem ?? '', /is larger than/);
  });

  it('is not read where it leads elsewhere, is no file, or others can write it', () => {
    symlinkSync(path, join(parent, 'link'));
    assert.match(readMemoryFile(join(parent, 'link')).problem ?? '', /cannot be read \(ELOOP\)/);
    assert.match(readMemoryFile(parent).problem ?? '', /is no file/);
    writeFileSync(path, MEMORY);
    chmodSync(path, 0o620);
    assert.match(readMemoryFile(path).problem ?? '', /can be written by others, and is not read/);
  });

  it('is not read if it belongs to another user', { skip: process.geteuid?.() !== 0 }, () => {
    writeMemoryFile(path, MEMORY);
    chownSync(path, 65_534, 65_534);
    assert.match(readMemoryFile(path).problem ?? '', /belongs to user 65534, and is not read/);
  });
});
