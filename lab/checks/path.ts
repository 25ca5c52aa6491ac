/**
 * Which way packets took, told by their size: a train of packets of an unusual length is found again on every link, in
 * whatever number of tunnels, since each adds a little and none takes away. Needs no key and no knowledge of who relays.
 */
import type { Frame, Place } from '../recording/pcapng.ts';

export const TRAIN_PACKETS = 20;
/** Rare in what else a quiet mesh sends. */
export const TRAIN_PAYLOAD_BYTES = 900;
/** What tunnels, one in another, may add. */
const OVERHEAD_BYTES = 320;

/** The nodes that sent the train on, the first sender first; `from` and `to` in nanoseconds of Unix time. */
export function pathOf(places: readonly Place[], frames: readonly Frame[], from: bigint, to: bigint): string[] {
  const sent = new Map<string, { first: bigint; count: number }>();
  for (const { place, at, length } of frames) {
    // Inside of tunnels the same packets are seen once more.
    if (at < from || at >= to || places[place].linkType !== 'ethernet') continue;
    if (length < TRAIN_PAYLOAD_BYTES || length > TRAIN_PAYLOAD_BYTES + OVERHEAD_BYTES) continue;
    const { node } = places[place];
    const { first, count } = sent.get(node) ?? { first: at, count: 0 };
    sent.set(node, { first, count: count + 1 });
  }
  return [...sent]
    .filter(([, { count }]) => count >= TRAIN_PACKETS / 2)
    .sort(([, a], [, b]) => Number(a.first - b.first))
    .map(([node]) => node);
}
