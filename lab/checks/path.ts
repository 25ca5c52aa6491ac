/**
 * Which way packets took, told by their size: a train of packets of one unusual length is found again on every link, in
 * whatever number of tunnels, since each adds a little, the same to all, and none takes away. Needs no key and no
 * knowledge of who relays. What else has that size is told by how much of it there was before.
 */
import type { Frame, Place } from '../recording/pcapng.ts';

export const TRAIN_PACKETS = 20;
/** Rare in what else a quiet mesh sends. */
export const TRAIN_PAYLOAD_BYTES = 900;
/** What tunnels, one in another, may add. */
const OVERHEAD_BYTES = 320;

/** Frames of one length at one place. */
interface Train {
  readonly node: string;
  /** In nanoseconds of Unix time, in order. */
  readonly times: bigint[];
  /** In as long a time before. */
  before: number;
}

/** The nodes that sent the train on, the first sender first; `from` and `to` in nanoseconds of Unix time. */
export function pathOf(places: readonly Place[], frames: readonly Frame[], from: bigint, to: bigint): string[] {
  const trains = new Map<string, Train>();
  for (const { place, at, length } of frames) {
    // Inside of tunnels the same packets are seen once more.
    if (at < from - (to - from) || at >= to || places[place].linkType !== 'ethernet') continue;
    if (length < TRAIN_PAYLOAD_BYTES || length > TRAIN_PAYLOAD_BYTES + OVERHEAD_BYTES) continue;
    const key = `${place} ${length}`;
    let train = trains.get(key);
    if (train === undefined) trains.set(key, (train = { node: places[place].node, times: [], before: 0 }));
    if (at < from) train.before++;
    else train.times.push(at);
  }
  const found = [...trains.values()].filter(({ times, before }) => times.length - before >= TRAIN_PACKETS / 2);
  // The one with the fewest strays is what the others are compared with.
  const [reference] = found.toSorted((a, b) => a.times.length - b.times.length);
  const lags = found.map(({ node, times }) => ({ node, lag: lagBehind(reference.times, times) }));
  return [...new Set(lags.sort((a, b) => (a.lag < b.lag ? -1 : 1)).map(({ node }) => node))];
}

/** How much later than in `reference` the same packets are in `times`; strays change little about the median. */
function lagBehind(reference: readonly bigint[], times: readonly bigint[]): bigint {
  const distance = (a: bigint, b: bigint): bigint => (a < b ? b - a : a - b);
  const lags = reference.map((at) => {
    const nearest = times.reduce((best, time) => (distance(time, at) < distance(best, at) ? time : best));
    return nearest - at;
  });
  return lags.sort((a, b) => (a < b ? -1 : 1))[lags.length >> 1];
}
