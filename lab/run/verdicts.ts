/** Holds what was expected against what was measured; a line of the report each. Pure; times as in `Measurements`. */
import { findLoops } from '../checks/loops.ts';
import { pathOf } from '../checks/path.ts';
import { bytesSent } from '../checks/traffic.ts';
import type { Outage } from '../checks/outage.ts';
import type { Frame, Place } from '../recording/pcapng.ts';
import type { Expectation } from '../scenario/schema.ts';
import { formatDuration, formatRate } from '../scenario/units.ts';
import type { Verdict } from './report.ts';
import type { Pair } from './reachability.ts';
import type { TcpOutcome } from './tcp-load.ts';

/** All points in time are milliseconds since the last daemon was started. */
export interface Measurements {
  readonly capture: { readonly places: readonly Place[]; readonly frames: readonly Frame[] };
  /** A point in time as the capture has it, in nanoseconds. */
  captureTime(at: number): bigint;
  /** When an event happened; `undefined` names the start. */
  eventTime(name: string | undefined): number;
  /** When the next event with a name happened, or the end. */
  nextEventTime(name: string | undefined): number;
  readonly answers: ReadonlyMap<Expectation, Answers>;
  /** When the trains of packets for `path` were sent: their beginnings and ends. */
  readonly trains: ReadonlyMap<Expectation, readonly [from: number, to: number]>;
  /** Processor time each node's daemon used, as a part of one core. */
  readonly cpu: ReadonlyMap<Expectation, ReadonlyMap<string, number>>;
  outage(load: string, from: number, to: number): Outage;
  longestOvertaken(load: string): number;
  readonly tcp: ReadonlyMap<string, TcpOutcome>;
}

export interface Answers {
  readonly pairs: readonly Pair[];
  /** When each was answered first. */
  readonly answeredAt: readonly (number | undefined)[];
}

type Of<What extends Expectation['what']> = Extract<Expectation, { what: What }>;

export function verdictOn(expectation: Expectation, seen: Measurements): Verdict {
  switch (expectation.what) {
    case 'reachable':
      return onReachable(expectation, seen);
    case 'unreachable':
      return onUnreachable(expectation, seen);
    case 'outage':
      return onOutage(expectation, seen);
    case 'in-order':
      return onOrder(expectation, seen);
    case 'path':
      return onPath(expectation, seen);
    case 'survives':
      return onSurvival(expectation, seen);
    case 'no-loops':
      return onLoops(seen);
    case 'control-traffic':
      return onControlTraffic(expectation, seen);
    case 'cpu':
      return onCpu(expectation, seen);
  }
}

function onReachable(expectation: Of<'reachable'>, { answers, eventTime }: Measurements): Verdict {
  const { pairs, answeredAt } = answers.get(expectation) as Answers;
  const since = eventTime(expectation.after);
  const after = expectation.after === undefined ? '' : ` of "${expectation.after}"`;
  const expected = `${describePair(expectation)} within ${formatDuration(expectation.within)}${after}`;
  const silent = pairs.filter((_, i) => answeredAt[i] === undefined);
  const measured = Math.max(...answeredAt.map((at) => (at ?? Infinity) - since));
  if (silent.length === 0) return { passed: true, expected, seen: formatDuration(measured), measured };
  return { passed: false, expected, seen: `${silent.length} of ${pairs.length} not: ${listPairs(silent)}` };
}

function onUnreachable(expectation: Of<'unreachable'>, { answers }: Measurements): Verdict {
  const { pairs, answeredAt } = answers.get(expectation) as Answers;
  const after = expectation.after === undefined ? '' : ` after "${expectation.after}"`;
  const expected = `not: ${describePair(expectation)}${after}`;
  const answered = pairs.filter((_, i) => answeredAt[i] !== undefined);
  const seen = answered.length === 0 ? 'no answer' : `answered: ${listPairs(answered)}`;
  return { passed: answered.length === 0, expected, seen };
}

function describePair({ from, to }: { readonly from: string; readonly to: string }): string {
  return `${from === 'all' ? 'all reach' : `${from} reaches`} ${to}`;
}

function listPairs(pairs: readonly Pair[]): string {
  const listed = pairs.slice(0, 5).map(({ from, to }) => `${from} -> ${to}`);
  return `${listed.join(', ')}${pairs.length > listed.length ? ', …' : ''}`;
}

function onOutage(expectation: Of<'outage'>, seen: Measurements): Verdict {
  const from = expectation.after === undefined ? 0 : seen.eventTime(expectation.after);
  const outage = seen.outage(expectation.load, from, seen.nextEventTime(expectation.after));
  const limit = expectation['at-most'];
  const over = expectation.after === undefined ? '' : ` over "${expectation.after}"`;
  return {
    passed: outage.sent > 0 && outage.longest <= limit,
    expected: `${limit === 0 ? 'no loss' : `at most ${formatDuration(limit)} without answers`} of ${expectation.load}${over}`,
    seen: `${formatDuration(outage.longest)}${outage.isOver ? '' : ', not over'}, ${outage.lost} of ${outage.sent} packets lost`,
    // What is not over yet may have any length.
    ...(outage.sent > 0 && outage.isOver && { measured: outage.longest }),
  };
}

function onOrder(expectation: Of<'in-order'>, seen: Measurements): Verdict {
  const limit = expectation['at-most'];
  const measured = seen.longestOvertaken(expectation.load);
  return {
    passed: measured <= limit,
    expected: `no answer of ${expectation.load} more than ${formatDuration(limit)} after that of a later packet`,
    seen: formatDuration(measured),
    measured,
  };
}

function onPath(expectation: Of<'path'>, { capture, captureTime, trains }: Measurements): Verdict {
  const [from, to] = trains.get(expectation) as readonly [number, number];
  const nodes = pathOf(capture.places, capture.frames, captureTime(from), captureTime(to));
  const wanted = [expectation.from, ...expectation.via];
  const way = (senders: readonly string[]) => [...senders, expectation.to].join(' -> ');
  return {
    passed: nodes.length === wanted.length && wanted.every((node, i) => nodes[i] === node),
    expected: `at ${formatDuration(expectation.at)} the path is ${way(wanted)}`,
    seen: nodes.length === 0 ? 'nothing was sent' : way(nodes),
  };
}

function onSurvival(expectation: Of<'survives'>, { tcp }: Measurements): Verdict {
  const outcome = tcp.get(expectation.load) as TcpOutcome;
  const { bytes, ended, longestStall, isAlive } = outcome;
  const end = ended === undefined ? (isAlive ? '' : ', stalled at the end') : `, ended: ${ended}`;
  return {
    passed: isAlive,
    expected: `the TCP connection ${expectation.load} survives`,
    seen: `${(bytes / 1e6).toFixed(1)} MB, longest stall ${formatDuration(longestStall)}${end}`,
    measured: longestStall,
  };
}

function onLoops({ capture }: Measurements): Verdict {
  const { loops, packets } = findLoops(capture.places, capture.frames);
  const places = [...new Set(loops.map(({ place }) => `${place.node}:${place.interface}`))];
  return {
    passed: loops.length === 0 && packets > 0,
    expected: 'no packet crosses a link twice in the same direction',
    seen:
      loops.length === 0 ? `none of ${packets}` : `${loops.length} of ${packets}, on ${places.slice(0, 5).join(', ')}`,
    measured: loops.length,
  };
}

function onControlTraffic(expectation: Of<'control-traffic'>, { capture, captureTime }: Measurements): Verdict {
  const { from, to } = expectation;
  const sent = bytesSent(capture.places, capture.frames, captureTime(from), captureTime(to));
  const rates = new Map([...sent].map(([node, bytes]) => [node, (bytes * 8) / ((to - from) / 1000)]));
  return onWorst(rates, {
    limit: expectation['at-most'],
    expected: `at most ${formatRate(expectation['at-most'])} sent by a node ${describeWindow(expectation)}`,
    format: formatRate,
  });
}

function onCpu(expectation: Of<'cpu'>, { cpu }: Measurements): Verdict {
  const format = (share: number) => `${(share * 100).toFixed(2)} %`;
  return onWorst(cpu.get(expectation) as ReadonlyMap<string, number>, {
    limit: expectation['at-most'],
    expected: `at most ${format(expectation['at-most'])} of a core for a daemon ${describeWindow(expectation)}`,
    format,
  });
}

function describeWindow({ from, to }: { readonly from: number; readonly to: number }): string {
  return `from ${formatDuration(from)} to ${formatDuration(to)}`;
}

interface Limit {
  readonly limit: number;
  readonly expected: string;
  format(value: number): string;
}

function onWorst(values: ReadonlyMap<string, number>, { limit, expected, format }: Limit): Verdict {
  const sorted = [...values].sort(([, a], [, b]) => b - a);
  const [node, worst] = sorted[0] ?? ['', NaN];
  const [, median] = sorted[sorted.length >> 1] ?? ['', NaN];
  if (sorted.length === 0) return { passed: false, expected, seen: 'nothing was seen' };
  const seen = `${format(worst)} (${node}), median ${format(median)}`;
  return { passed: worst <= limit, expected, seen, measured: worst, median };
}
