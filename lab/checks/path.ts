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

/** The nodes that sent the train on, the first sender first; `from` and `to` in nanoseconds of Unix time. */
export function pathOf(places: readonly Place[], frames: readonly Frame[], from: bigint, to: bigint): string[] {
  /** By place and length: when the first was sent, and how many more there were than in the same time before. */
  const trains = new Map<string, { node: string; first: bigint; excess: number }>();
  for (const { place, at, length } of frames) {
    // Inside of tunnels the same packets are seen once more.
    if (at < from - (to - from) || at >= to || places[place].linkType !== 'ethernet') continue;
    if (length < TRAIN_PAYLOAD_BYTES || length > TRAIN_PAYLOAD_BYTES + OVERHEAD_BYTES) continue;
    const key = `${place} ${length}`;
    const isBefore = at < from;
    const train = trains.get(key) ?? { node: places[place].node, first: at, excess: 0 };
    const first = train.first < from ? at : train.first;
    trains.set(key, { ...train, first, excess: train.excess + (isBefore ? -1 : 1) });
  }
  const found = [...trains.values()].filter(({ excess }) => excess >= TRAIN_PACKETS / 2);
  return [...new Set(found.sort((a, b) => (a.first < b.first ? -1 : 1)).map(({ node }) => node))];
}
