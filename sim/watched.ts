/** Runs schedules in a thread of their own and watches it: an attack may have found an endless loop. */
import { Worker } from 'node:worker_threads';
import type { AttackKind } from './schedule.ts';
import type { Verdict } from './verdict.ts';

export interface Job {
  readonly seeds: readonly number[];
  readonly only: readonly AttackKind[] | undefined;
  /** Whether to look for the fewest kinds of attacks that fail, which takes longer. */
  readonly mayShrink: boolean;
}

/** For one schedule, with all its smaller ones, on a machine that is busy. */
const HANGS_AFTER = 300_000;

/** Verdicts in the order of the seeds. Ends with an error that names the seed where a thread throws or hangs. */
export async function* verdictsOn(job: Job): AsyncGenerator<Verdict> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: job });
  const arrived: Verdict[] = [];
  let wake: () => void = () => {};
  let failure: Error | undefined;
  const fail = (error: Error) => {
    failure = error;
    wake();
  };
  worker.on('message', (verdict: Verdict) => {
    arrived.push(verdict);
    wake();
  });
  worker.on('error', fail);
  try {
    for (const seed of job.seeds) {
      const timer = setTimeout(() => fail(new Error(`no end in ${HANGS_AFTER / 1000} s`)), HANGS_AFTER);
      while (arrived.length === 0 && failure === undefined) await new Promise<void>((resolve) => (wake = resolve));
      clearTimeout(timer);
      const verdict = arrived.shift();
      if (verdict === undefined) throw new Error(`seed ${seed}: ${failure?.message}`, { cause: failure });
      yield verdict;
    }
  } finally {
    await worker.terminate();
  }
}
