/** Which lengths are worth trying: those that paths have, not all that there are (RFC 8899 §5.3.2). */

/** What IPv6 wants every path to carry (RFC 8200 §5), and what we begin with (BASE_PLPMTU, RFC 8899 §5.1.2). */
export const BASE_MTU = 1280;

/** Less than what every host takes in one piece in IPv4 (RFC 791 §3.1): a path that does not carry it carries nothing. */
const LEAST_MTU = 464;

/** The mesh's headers of IPv6 and UDP and WireGuard's second seal, for what goes over relays (decision 0018). */
const RELAY_BYTES = 80;

/**
 * Packets of the underlay on paths as they are: Ethernet, PPPoE, tunnels in tunnels, mobile networks; jumbo frames above,
 * and below 1,280 what nobody should have.
 */
const LIKELY_OUTER = [
  ...[9216, 9180, 9000, 8980, 8951, 8500, 7981, 5000, 4464, 4352, 4000, 3000, 2304, 2048, 2002, 1600, 1508, 1504],
  ...[1500, 1492, 1488, 1480, 1476, 1472, 1464, 1460, 1454, 1450, 1446, 1440, 1436, 1430, 1428, 1420, 1412, 1406, 1400],
  ...[
    1390, 1380, 1370, 1360, 1350, 1340, 1330, 1320, 1310, 1300, 1280, 1260, 1200, 1100, 1006, 1000, 900, 800, 700, 576,
  ],
];
/** The headers of UDP over IPv4 or IPv6 and of a transport message, in front of what is inside; and the tag behind it. */
const OUTER_BYTES = [60, 80];
/** WireGuard pads what is inside to a multiple of this (whitepaper §5.4.6), so other lengths are as good as the next one. */
const PADDING = 16;

const LIKELY = [...new Set(LIKELY_OUTER.flatMap((outer) => OUTER_BYTES.map((bytes) => rounded(outer - bytes))))]
  .concat(BASE_MTU, LEAST_MTU)
  .filter((size) => size >= LEAST_MTU)
  .sort((a, b) => a - b);

/** The likely lengths between two others, without these, the shortest first. */
export function sizesBetween(low: number, high: number): number[] {
  return LIKELY.filter((size, i) => size > low && size < high && size !== LIKELY[i - 1]);
}

/** How long a packet over relays may be, so that no datagram is longer than those that go directly (decision 0018). */
export function longestOverRelays(interfaceMtu: number): number {
  return Math.max(BASE_MTU, rounded(interfaceMtu - RELAY_BYTES));
}

function rounded(size: number): number {
  return size - (size % PADDING);
}
