/** What a benchmark is, and how its figures are judged. */
import { median, spread } from './statistics.ts';

export interface BenchOptions {
  /** Times that each side is measured, in turn. */
  readonly rounds: number;
  /** Length of one measurement. */
  readonly seconds: number;
  readonly onRound: (line: string) => void;
}

export interface Measure {
  readonly name: string;
  readonly description: string;
  run(options: BenchOptions): Promise<Figure[]>;
}

/** One line of the table: a value for each round, of ours and of what it is compared with. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly peer?: { readonly name: string; readonly values: readonly number[] };
  readonly goal?: Goal;
  /** Where the figure stands on the horizontal axis of a plot. */
  readonly at?: number;
}

/** What the median of ours, or its ratio to the peer's, has to reach. */
export interface Goal {
  readonly of: 'ours' | 'ratio';
  readonly bound: 'at least' | 'at most';
  readonly value: number;
}

export interface Judged extends Figure {
  readonly median: number;
  /** Largest less smallest, by the median. */
  readonly spread: number;
  readonly peerMedian?: number;
  /** Median of ours by median of the peer's. */
  readonly ratio?: number;
  readonly isMet?: boolean;
}

export function ratioAtLeast(value: number): Goal {
  return { of: 'ratio', bound: 'at least', value };
}

export function ratioAtMost(value: number): Goal {
  return { of: 'ratio', bound: 'at most', value };
}

export function atLeast(value: number): Goal {
  return { of: 'ours', bound: 'at least', value };
}

export function atMost(value: number): Goal {
  return { of: 'ours', bound: 'at most', value };
}

/** The ratios asked for were set beside the wireguard-go of Debian 12; the promise beside any newer one is "faster". */
export const GOALS_SET_BESIDE = 'v0.0.20220316';

export function judge(figure: Figure, wireguardGo: string): Judged {
  const { ours, peer } = figure;
  const isOtherPeer = peer?.name === 'wireguard-go' && wireguardGo !== GOALS_SET_BESIDE;
  const goal = figure.goal?.of === 'ratio' && isOtherPeer ? { ...figure.goal, value: 1 } : figure.goal;
  const judged: Judged = { ...figure, ...(goal && { goal }), median: median(ours), spread: spread(ours) };
  const peerMedian = peer === undefined ? undefined : median(peer.values);
  const ratio = peerMedian === undefined ? undefined : judged.median / peerMedian;
  const compared = peerMedian === undefined || ratio === undefined ? judged : { ...judged, peerMedian, ratio };
  if (goal === undefined) return compared;
  const reached = goal.of === 'ours' ? judged.median : (ratio ?? NaN);
  return { ...compared, isMet: goal.bound === 'at least' ? reached >= goal.value : reached <= goal.value };
}
