import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyVirtioHeader, readVirtioHeader, writeVirtioHeader } from './virtio.ts';

describe('the virtio header', () => {
  const bytes = Uint8Array.of(0xee, 1, 0x81, 0x42, 0x01, 0x64, 0x05, 0x28, 0x00, 0x10, 0x00, 0xee);
  const fields = {
    flags: 1,
    gsoType: 0x81,
    headerLength: 0x142,
    gsoSize: 1380,
    checksumStart: 40,
    checksumOffset: 16,
  };

  it('is read from little-endian bytes', () => {
    const header = emptyVirtioHeader();
    readVirtioHeader(bytes, 1, header);
    assert.deepEqual(header, fields);
  });

  it('is written as it is read, and not beyond its ten bytes', () => {
    const written = new Uint8Array(12).fill(0xee);
    writeVirtioHeader(written, 1, fields);
    assert.deepEqual(written, bytes);
  });
});
