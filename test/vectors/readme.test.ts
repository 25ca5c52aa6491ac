import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readVectors } from './files.ts';

describe('the vectors', () => {
  it('are the files that README.md names, unchanged', () => {
    const named = [...readVectors('README.md').matchAll(/^\| `([^`]+)` .* `([0-9a-f]{64})` \|$/gm)];
    const present = readdirSync(new URL('../../../test/vectors/', import.meta.url));
    assert.deepEqual(
      named.map(([, file]) => file).toSorted(),
      present.filter((file) => /\.(json|txt)$/.test(file)).toSorted(),
    );
    for (const [, file, digest] of named) {
      assert.equal(createHash('sha256').update(readVectors(file)).digest('hex'), digest, file);
    }
  });
});
