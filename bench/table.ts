import type { Judged } from './measure.ts';
import type { MachineUnderTest } from './machine.ts';

export interface Report {
  readonly machine: MachineUnderTest;
  readonly rounds: number;
  readonly seconds: number;
  readonly figures: readonly Judged[];
}

const HEADINGS = ['measure', 'ours', 'spread', 'peer', 'ratio', 'goal', 'met', 'unit', 'peer is'];

/** One table: medians, and whether the goal was reached. */
export function formatReport({ machine, rounds, seconds, figures }: Report): string {
  const { cpu, cores, kernel, node, wireguardGo, loadBefore } = machine;
  const rows = [HEADINGS, ...figures.map(rowOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
  const title = [
    `${cores} cores of ${cpu}, Linux ${kernel}, Node ${node}, wireguard-go ${wireguardGo}`,
    `${rounds} rounds, ${seconds} s each, medians; load before: ${loadBefore.toFixed(2)}`,
  ];
  return [...title, '', ...lines, ''].join('\n');
}

function rowOf(figure: Judged): string[] {
  const { name, unit, median, spread, peer, peerMedian, ratio, goal, isMet } = figure;
  return [
    name,
    short(median),
    `${Math.round(spread * 100)} %`,
    peerMedian === undefined ? '' : short(peerMedian),
    ratio === undefined ? '' : ratio.toFixed(2),
    goal === undefined ? '' : `${goal.of} ${goal.bound} ${goal.value}`,
    isMet === undefined ? '' : isMet ? 'yes' : 'NO',
    unit,
    peer?.name ?? '',
  ];
}

/** Three digits that say something. */
function short(value: number): string {
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
