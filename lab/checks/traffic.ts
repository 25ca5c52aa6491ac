import type { Frame, Place } from '../recording/pcapng.ts';

const ETHERNET_HEADER_BYTES = 14;

/** What each node sent on its links, of those that ever sent anything, in bytes of IP; `from` and `to` in nanoseconds of Unix time. */
export function bytesSent(
  places: readonly Place[],
  frames: readonly Frame[],
  from: bigint,
  to: bigint,
): Map<string, number> {
  const sent = new Map(places.map(({ node }) => [node, 0]));
  for (const { place, at, length } of frames) {
    const { node, linkType } = places[place];
    if (at < from || at >= to || linkType !== 'ethernet') continue;
    sent.set(node, (sent.get(node) ?? 0) + length - ETHERNET_HEADER_BYTES);
  }
  return sent;
}
