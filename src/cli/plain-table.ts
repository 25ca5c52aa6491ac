import Table from 'cli-table3';
import { printable } from '../api/index.ts';

const EDGES = ['top', 'bottom', 'left', 'right', 'mid'];
const CORNERS = [
  'top-mid',
  'top-left',
  'top-right',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left-mid',
  'mid-mid',
  'right-mid',
];
const NO_BORDERS = { ...Object.fromEntries([...EDGES, ...CORNERS].map((part) => [part, ''])), middle: '  ' };

/** Columns side by side, under a heading; what is not printable in a cell is not printed. `colour` is for terminals. */
export function plainTable(head: readonly string[], rows: readonly (readonly string[])[], colour: boolean): string {
  const table = new Table({
    head: [...head],
    chars: NO_BORDERS,
    style: { head: colour ? ['bold'] : [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  table.push(...rows.map((row) => row.map(printable)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
