import type { Counter } from '../crypto/primitives.ts';

/** Arithmetic on 64-bit counters in two halves (docs/decisions/0003-counters-are-two-halves.md). */

/** Adds one in place. The limits of §6.1 keep a counter from ever wrapping. */
export function increment(counter: Counter): void {
  if (counter.low === 0xffff_ffff) {
    counter.low = 0;
    counter.high++;
  } else {
    counter.low++;
  }
}

export function isBelow(counter: Counter, limit: Counter): boolean {
  return counter.high < limit.high || (counter.high === limit.high && counter.low < limit.low);
}
