import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SHARED_REPLAY_WINDOW_LANES } from '../../src/wireguard/shared-replay-window.ts';
import { ROUND, type HammerJob } from './hammer-job.ts';

const THREADS = 3;

/** @returns how often each of `counters` counters was got */
async function hammer(kind: HammerJob['kind'], counters: number): Promise<Uint32Array> {
  const [state, got, barrier] = [4 * SHARED_REPLAY_WINDOW_LANES, 4 * counters, 8].map(
    (bytes) => new SharedArrayBuffer(bytes),
  );
  const ends = Array.from({ length: THREADS }, (_, seed) => {
    const workerData: HammerJob = { kind, threads: THREADS, seed, state, got, barrier };
    return once(new Worker(new URL('./hammer.js', import.meta.url), { workerData }), 'exit');
  });
  for (const [exitCode] of await Promise.all(ends)) assert.equal(exitCode, 0);
  return new Uint32Array(got);
}

describe('three threads at once', () => {
  it('claim each of a million send counters once, and leave none out', async () => {
    const got = await hammer('claim', 1_000_000);
    assert.ok(got.every((times) => times === 1));
  });

  it('accept each of many messages that all of them receive exactly once, while none is too old', async () => {
    const got = await hammer('accept-together', 40 * ROUND);
    assert.ok(got.every((times) => times === 1));
  });

  it('accept none of them twice when one thread may be far ahead of another', async () => {
    const got = await hammer('accept-alone', 100 * ROUND);
    assert.ok(got.every((times) => times <= 1));
  });
});
