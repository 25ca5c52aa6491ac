/**
 * Which way packets took, told by their size and rhythm: a train of packets of one unusual length is found again on
 * every link, in whatever number of tunnels, since each adds a little, the same to all, and none takes away. Needs no
 * key and no knowledge of who relays. What else has that size is told by how much of it there was before.
 */
import type { Frame, Place } from '../recording/pcapng.ts';

export const TRAIN_PACKETS = 20;
/** Rare in what else a quiet mesh sends. */
export const TRAIN_PAYLOAD_BYTES = 900;
/** What tunnels, one in another, may add. */
const OVERHEAD_BYTES = 320;
/** How much the delay of single packets may vary. */
const JITTER_MS = 4;

/**
 * How long to wait after a packet of a train, in milliseconds. No wait is like another, so that a train that is laid a
 * packet too early or too late over itself does not fit.
 */
export function waitAfter(packet: number): number {
  return 10 + 3 * packet;
}

/** Frames of one length at one place. */
interface Train {
  readonly node: string;
  /** In milliseconds since the train may have begun, in order. */
  readonly times: number[];
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
    else train.times.push(Number(at - from) / 1e6);
  }
  const found = [...trains.values()].filter(({ times, before }) => times.length - before >= TRAIN_PACKETS / 2);
  // The one with the fewest strays is what the others are compared with.
  const [reference] = found.toSorted((a, b) => a.times.length - b.times.length);
  const lags = found.map(({ node, times }) => ({ node, lag: lagBehind(reference.times, times) }));
  return [...new Set(lags.sort((a, b) => a.lag - b.lag).map(({ node }) => node))];
}

/** How much later than in `reference` the same packets are in `times`, most of them. */
function lagBehind(reference: readonly number[], times: readonly number[]): number {
  const lags = times.flatMap((time) => reference.map((at) => time - at)).sort((a, b) => a - b);
  // As many lags as packets lie closely together about the one of all packets; the others are scattered.
  let [first, end] = [0, 0];
  for (let low = 0, high = 0; low < lags.length; low++) {
    while (high < lags.length && lags[high] <= lags[low] + JITTER_MS) high++;
    if (high - low > end - first) [first, end] = [low, high];
  }
  return lags[(first + end) >> 1];
}
