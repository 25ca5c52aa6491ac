import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { labDirectory } from '../../lab/state.ts';
import { namespacesOf } from './lab-for-testing.ts';

const DEMO = fileURLToPath(new URL('../../lab/demo.js', import.meta.url));

/** Runs the demo to its end; `interruptAt` is the output at which it gets a Ctrl-C. */
async function runDemo(args: readonly string[], interruptAt?: RegExp) {
  const demo = spawn(process.execPath, [DEMO, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const code = new Promise<number | null>((resolve) => demo.once('close', resolve));
  const stderr = text(demo.stderr);
  let stdout = '';
  demo.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const isReached = (output: string) => interruptAt?.test(output) === true;
    if (isReached(stdout + chunk) && !isReached(stdout)) demo.kill('SIGINT');
    stdout += chunk;
  });
  return { code: await code, stdout, stderr: await stderr };
}

function assertNothingLeft(): void {
  assert.deepEqual(namespacesOf('demo'), []);
  assert.ok(!existsSync(labDirectory('demo')));
}

describe('the demo', () => {
  it('ends by itself with --once, having seen every ping answered and none in plaintext', async () => {
    const { code, stdout, stderr } = await runDemo(['--once']);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    assert.match(stdout, /plaintext of the pings through the mesh: none/);
    assertNothingLeft();
  });

  it('stays up until Ctrl-C, which is no failure', async () => {
    const { code, stdout, stderr } = await runDemo([], /until Ctrl-C/);
    assert.deepEqual([code, stderr], [0, ''], stdout);
    assertNothingLeft();
  });

  it('cleans up when it is interrupted on the way', async () => {
    const { code } = await runDemo(['--once'], /share no link/);
    assert.equal(code, 1);
    assertNothingLeft();
  });
});
