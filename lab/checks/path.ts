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

/** So many at the start of a train may be missing at one place. */
const LOST_AT_FIRST = 3;

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

/**
 * How much later than in `reference` the same packets are in `times`: the lag with which most of them coincide. Neither a
 * stray nor a delay of more than the distance of two packets misleads it.
 */
function lagBehind(reference: readonly bigint[], times: readonly bigint[]): bigint {
  const spacing = (reference[reference.length - 1] - reference[0]) / BigInt(reference.length - 1);
  const coincide = (lag: bigint): number =>
    reference.filter((at) => times.some((time) => isNear(time, at + lag, spacing / 4n))).length;
  const lags = times.flatMap((time) => reference.slice(0, LOST_AT_FIRST + 1).map((at) => time - at));
  return lags.reduce((best, lag) => (coincide(lag) > coincide(best) ? lag : best));
}

function isNear(a: bigint, b: bigint, tolerance: bigint): boolean {
  return a - b <= tolerance && b - a <= tolerance;
}
