/** What came out of a run, for people and as JSON. */
import type { Scenario } from '../scenario/scenario.ts';
import { formatDuration } from '../scenario/units.ts';

export interface Verdict {
  readonly passed: boolean;
  /** What was expected, and what was seen. */
  readonly expected: string;
  readonly seen: string;
  /** What was seen as a number, in the unit of the expectation (milliseconds, bits a second, a part of 1). */
  readonly measured?: number;
  /** Where each node has a value, and `measured` is the worst. */
  readonly median?: number;
}

export interface Report {
  readonly title: string;
  /** How many nodes there are of each kind. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly links: number;
  readonly seed: number;
  /** What was done, in milliseconds since the last daemon was started. */
  readonly events: readonly { readonly at: number; readonly what: string }[];
  readonly verdicts: readonly Verdict[];
}

export function reportOf(scenario: Scenario, events: Report['events'], verdicts: readonly Verdict[]): Report {
  const kinds: Record<string, number> = {};
  for (const { kind } of scenario.nodes) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const { title, links, seed } = scenario;
  return { title, kinds, links: links.length, seed, events, verdicts };
}

export function hasPassed({ verdicts }: Report): boolean {
  return verdicts.every(({ passed }) => passed);
}

export function formatReport(report: Report): string {
  const kinds = Object.entries(report.kinds).map(([kind, count]) => `${count} ${kind === 'none' ? 'without a daemon' : kind}`); // prettier-ignore
  const failed = report.verdicts.filter(({ passed }) => !passed).length;
  return [
    report.title,
    `nodes: ${kinds.join(', ')}; links: ${report.links}; seed ${report.seed}`,
    '',
    ...report.events.map(({ at, what }) => `${formatDuration(at).padStart(8)}  ${what}`),
    '',
    ...report.verdicts.map(({ passed, expected, seen }) => `${passed ? 'PASS' : 'FAIL'}  ${expected}: ${seen}`),
    '',
    `${report.verdicts.length - failed} passed, ${failed} failed`,
  ].join('\n');
}
