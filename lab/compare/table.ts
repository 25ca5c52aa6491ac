/** The comparison as a table of Markdown, and its place in a page. Pure. */
import { median } from '../../bench/statistics.ts';
import { LabError } from '../lab-error.ts';
import { formatDuration, formatRate } from '../scenario/units.ts';
import type { Unit } from './figures.ts';

export interface Row {
  readonly scenario: string;
  readonly what: string;
  readonly unit: Unit;
  /** Of each variant, of each run; `null`, which JSON has too, for what did not come true. */
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
}

const BEGIN = '<!-- comparison: `npm run compare` writes this -->';
const END = '<!-- end of comparison -->';

export function formatTable(variants: readonly string[], rows: readonly Row[]): string {
  const lines = rows.map(({ scenario, what, unit, values }, i) => {
    const isSame = rows[i - 1]?.scenario === scenario;
    return [isSame ? '' : `\`${scenario}\``, what, ...variants.map((variant) => formatCell(values[variant], unit))];
  });
  const head = ['scenario', 'measured', ...variants];
  const rule = ['---', '---', ...variants.map(() => '---:')];
  return [head, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function formatCell(values: readonly (number | null)[], unit: Unit): string {
  if (unit === 'yes') return `${values.filter((value) => value === 1).length} of ${values.length}`;
  const reached = values.filter((value) => value !== null);
  if (reached.length === 0) return 'not reached';
  const [low, high] = [Math.min(...reached), Math.max(...reached)].map((value) => formatValue(value, unit));
  const spread = low === high ? '' : ` (${low} to ${high})`;
  const some =
    reached.length < values.length ? `; ${values.length - reached.length} of ${values.length} not reached` : '';
  return `${formatValue(median(reached), unit)}${spread}${some}`;
}

function formatValue(value: number, unit: Unit): string {
  if (unit === 'share') return `${(value * 100).toFixed(2)} %`;
  if (unit === 'bit/s') return formatRate(value);
  return value === 0 ? 'none' : formatDuration(value);
}

/** `page` with `text` between the marks. @throws LabError if it has none */
export function replaceComparison(page: string, text: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new LabError(`the page lacks the marks ${BEGIN} and ${END}`);
  return `${page.slice(0, begin + BEGIN.length)}\n${text}\n${page.slice(end)}`;
}
