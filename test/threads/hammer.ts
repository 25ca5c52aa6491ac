/** One of several threads that use the same counters and windows as hard as they can. */
import { workerData } from 'node:worker_threads';
import { SharedReplayWindow } from '../../src/wireguard/shared-replay-window.ts';
import { SharedSendCounter } from '../../src/wireguard/shared-send-counter.ts';
import { ROUND, type HammerJob } from './hammer-job.ts';

const job = workerData as HammerJob;
const got = new Uint32Array(job.got);
const lanes = new Uint32Array(job.state);
const barrier = new Int32Array(job.barrier);
let random = job.seed;

/** A linear congruential generator: the threads need different numbers, not good ones. */
function below(limit: number): number {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  return Math.floor((random / 0x1_0000_0000) * limit);
}

function claimAll(): void {
  const counter = new SharedSendCounter(lanes, 0);
  while (counter.claimed < got.length) {
    const count = 1 + below(64);
    const first = counter.claim(count);
    for (let i = first; i < first + count && i < got.length; i++) Atomics.add(got, i, 1);
  }
}

function waitForAll(): void {
  const round = Atomics.load(barrier, 1);
  if (Atomics.add(barrier, 0, 1) === job.threads - 1) {
    Atomics.store(barrier, 0, 0);
    Atomics.add(barrier, 1, 1);
    Atomics.notify(barrier, 1);
  } else {
    Atomics.wait(barrier, 1, round);
  }
}

/** All threads take in all messages, each in an order of its own. */
function acceptAll(isTogether: boolean): void {
  const window = new SharedReplayWindow(lanes, 0);
  for (let start = 0; start < got.length; start += ROUND) {
    const counters = Array.from({ length: Math.min(ROUND, got.length - start) }, (_, i) => start + i);
    for (let i = counters.length - 1; i > 0; i--) {
      const j = below(i + 1);
      [counters[i], counters[j]] = [counters[j], counters[i]];
    }
    for (const low of counters) if (window.accept({ high: 0, low })) Atomics.add(got, low, 1);
    if (isTogether) waitForAll();
  }
}

if (job.kind === 'claim') claimAll();
else acceptAll(job.kind === 'accept-together');
