/** What became of a train of numbered packets that were sent at an interval. Pure; times in milliseconds. */
export interface Sent {
  readonly at: number;
  readonly isAnswered: boolean;
}

export interface Outage {
  /** The longest stretch of unanswered packets, from its first to the next that was answered, or to the end. */
  readonly longest: number;
  readonly lost: number;
  readonly sent: number;
  /** Whether the last packet was answered. */
  readonly isOver: boolean;
}

/** Of the packets sent from `from` to `to`; `interval` is how long each stands for. */
export function outageOf(packets: readonly Sent[], interval: number, from: number, to: number): Outage {
  let longest = 0;
  let since: number | undefined;
  let lost = 0;
  const within = packets.filter(({ at }) => at >= from && at < to);
  for (const { at, isAnswered } of within) {
    if (isAnswered) {
      since = undefined;
      continue;
    }
    lost++;
    since ??= at;
    longest = Math.max(longest, at - since + interval);
  }
  return { longest, lost, sent: within.length, isOver: since === undefined };
}
