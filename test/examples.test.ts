/** The programs of examples/, run as their readers would: by the package's own exports. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

async function run(example: string): Promise<string> {
  const path = fileURLToPath(new URL(`../examples/${example}.js`, import.meta.url));
  return (await promisify(execFile)(process.execPath, [path], { timeout: 30_000 })).stdout;
}

describe('an example', () => {
  it('carries a packet each way between two ends in one process', async () => {
    assert.equal(await run('tunnel-in-one-process'), 'right received ping\nleft received pong\n');
  });
});
