/** The thread in which schedules are run; see watched.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { verdictOn } from './verdict.ts';
import type { Job } from './watched.ts';

const { seeds, only, mayShrink } = workerData as Job;
for (const seed of seeds) parentPort?.postMessage(verdictOn(seed, { only, mayShrink }));
