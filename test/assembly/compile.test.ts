import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { compileChecksumModule } from './compile.ts';

describe('the WebAssembly module of the checksums', () => {
  it('is what AssemblyScript makes of its source: else run `npm run assembly`', async () => {
    assert.equal(readFileSync('src/packet/checksum-module.ts', 'utf8'), await compileChecksumModule());
  });
});
