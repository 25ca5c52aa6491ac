/** What the threads of the hammer share: what is hammered, and how often each counter was got. */
export interface HammerJob {
  readonly kind: 'claim' | 'accept-together' | 'accept-alone';
  readonly threads: number;
  readonly seed: number;
  readonly state: SharedArrayBuffer;
  readonly got: SharedArrayBuffer;
  /** Two lanes: how many threads wait for the next round, and which round it is. */
  readonly barrier: SharedArrayBuffer;
}

/** Counters of a round in `accept-together`: less than the window, so that none is ever too old. */
export const ROUND = 4000;
