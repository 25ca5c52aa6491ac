/** The thread that a job runs in; see run.ts. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { Inputs, type Job, type Report } from './run.ts';
import { targets } from './targets.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const { job, progress } = workerData as { job: Job; progress: Int32Array };
parentPort?.postMessage(await run(job));

async function run({ target: name, seed, inputs: count }: Job): Promise<Report> {
  const target = targets.find((candidate) => candidate.name === name)!;
  const inputs = new Inputs(target, seed);
  const outcomes: Record<string, number> = {};
  let heapAtStart = 0;
  for (let number = 0; number < count; number++) {
    if (number === Math.floor(count / 10)) heapAtStart = heapInUse();
    Atomics.store(progress, 0, number);
    try {
      const result = target.run(inputs.make(number));
      const outcome = typeof result === 'string' ? result : await result;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    } catch (error) {
      return { number, reason: (error as Error).stack ?? String(error) };
    }
  }
  return { outcomes, heapGrowth: heapInUse() - heapAtStart };
}

function heapInUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
