/**
 * How long the longest answer was overtaken: how much later it came than that of a packet which was sent after it. Pure.
 * @param answeredAt by the number of the packet, in milliseconds; `undefined`: never
 */
export function longestOvertaken(answeredAt: readonly (number | undefined)[]): number {
  let earliestOfLater = Infinity;
  let longest = 0;
  for (const at of answeredAt.toReversed()) {
    if (at === undefined) continue;
    longest = Math.max(longest, at - earliestOfLater);
    earliestOfLater = Math.min(earliestOfLater, at);
  }
  return longest;
}
