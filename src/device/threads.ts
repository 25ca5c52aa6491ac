import { availableParallelism } from 'node:os';

/** More queues than this no TUN device of ours needs; the kernel gives 256 at most. */
export const MOST_THREADS = 64;

/** Half the cores are for those whose packets these are. */
export function defaultThreads(): number {
  return Math.min(MOST_THREADS, Math.max(1, Math.floor(availableParallelism() / 2)));
}
