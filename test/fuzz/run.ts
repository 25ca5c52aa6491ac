import { Worker } from 'node:worker_threads';
import { Mutator } from './mutator.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';

/** Inputs `0` to `inputs - 1` of a target, made with `seed`. */
export interface Job {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
}

export interface Result {
  /** How many inputs came to what. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Of the heap and of array buffers after a collection, from a tenth of the inputs to the end, in bytes. */
  readonly heapGrowth: number;
}

export interface Failure {
  /** Of the input, unless it was all of them. */
  readonly number: number | undefined;
  readonly reason: string;
}

/** What a worker has to say. */
export type Report = Result | Failure;

/** Longer than any stall of a busy machine. */
const HANGS_AFTER = 30_000;
const HEAP_LIMIT_MB = 256;
/** Caches of the runtime grow a little; what is kept of each input is more than this soon. */
export const MOST_HEAP_GROWTH = 8 * 2 ** 20;

/** Makes the inputs of a target: each the same whenever it is asked for. */
export class Inputs {
  readonly #mutator: Mutator;
  readonly #seed: number;

  constructor({ name, seeds, tokens }: Target, seed: number) {
    this.#mutator = new Mutator(seeds, tokens ?? []);
    this.#seed = [...name].reduce((hash, letter) => Math.imul(hash, 31) + letter.charCodeAt(0), seed);
  }

  make(number: number): Uint8Array {
    return this.#mutator.input(new Random(this.#seed, number));
  }
}

/**
 * Runs a job in a thread of its own, with a limited heap, and watches it: an input may throw, hang or eat memory.
 * `onProgress` is told once a second how many inputs are done.
 */
export async function runWatched(job: Job, onProgress: (done: number) => void = () => {}): Promise<Report> {
  const progress = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { job, progress },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT_MB },
  });
  let [seen, seenAt] = [-1, performance.now()];
  const report = await new Promise<Report>((resolve) => {
    const fail = (reason: string) => resolve({ number: Atomics.load(progress, 0), reason });
    const watch = setInterval(() => {
      const done = Atomics.load(progress, 0);
      onProgress(done);
      if (done !== seen) [seen, seenAt] = [done, performance.now()];
      else if (performance.now() - seenAt > HANGS_AFTER) fail(`no end in ${HANGS_AFTER / 1000} s`);
    }, 1000);
    worker.on('message', resolve);
    worker.on('error', (error: Error) => fail(error.stack ?? error.message));
    worker.on('exit', (code) => {
      clearInterval(watch);
      fail(`its thread ended with ${code}`);
    });
  });
  await worker.terminate();
  if (!('heapGrowth' in report) || report.heapGrowth <= MOST_HEAP_GROWTH) return report;
  return { number: undefined, reason: `the heap grew by ${report.heapGrowth} bytes` };
}

/** What to tell a person, with what repeats it. */
export function describeFailure(target: Target, { seed, inputs }: Job, { number, reason }: Failure): string {
  const { name } = target;
  if (number === undefined)
    return `${name}: ${reason}\n\n  npm run fuzz -- ${name} --seed ${seed} --inputs ${inputs}\n`;
  const input = Buffer.from(new Inputs(target, seed).make(number)).toString('hex');
  return `${name}, seed ${seed}, input ${number}: ${reason}\n\n  npm run fuzz -- ${name} --input ${input}\n`;
}
