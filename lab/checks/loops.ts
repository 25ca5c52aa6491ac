/**
 * Whether a packet crossed a link twice in the same direction. On a link, and inside of tunnels that end at each node,
 * that is seen: the same packet leaves the same interface again with another hop limit, or the same ciphertext does at all.
 * (The same packet with the same hop limit is another one that looks alike: a retransmission.) What a relay forwards
 * under another cipher cannot be seen by anybody without its keys.
 */
import type { Frame, Place } from '../recording/pcapng.ts';
import { readPacket } from './packet.ts';

export interface Loop {
  readonly place: Place;
  /** In nanoseconds of Unix time: the second crossing. */
  readonly at: bigint;
}

/** `places` are those of the frames. @returns one entry a packet that came back, and how many were looked at */
export function findLoops(places: readonly Place[], frames: readonly Frame[]): { loops: Loop[]; packets: number } {
  const hopLimits = places.map(() => new Map<string, number>());
  const loops: Loop[] = [];
  let packets = 0;
  for (const { place, bytes, at } of frames) {
    const packet = readPacket(bytes, places[place].linkType);
    if (packet === undefined) continue;
    packets++;
    const before = hopLimits[place].get(packet.key);
    if (before !== undefined && (packet.isUnique || before !== packet.hopLimit))
      loops.push({ place: places[place], at });
    hopLimits[place].set(packet.key, packet.hopLimit);
  }
  return { loops, packets };
}
