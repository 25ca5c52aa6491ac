/** What there is to say about one seed, and how to see it again. */
import { isKnown } from './known-holes.ts';
import { judge, type Outcome } from './run.ts';
import { makeSchedule, without, type AttackKind, type Schedule } from './schedule.ts';
import { shrink } from './shrink.ts';
import type { Violation } from './violations.ts';

export interface Verdict {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Those that known-holes.ts does not explain. */
  readonly unexplained: readonly Violation[];
  /** Who is against whom. */
  readonly title: string;
  /** The fewest kinds of attacks that were found to violate the first invariant of these; all kinds where there are none. */
  readonly smallest: readonly AttackKind[];
  readonly control: Outcome;
  readonly attacked: Outcome;
}

/** `only`: without attacks of other kinds. */
export function verdictOn(
  seed: number,
  { only, mayShrink }: { readonly only: readonly AttackKind[] | undefined; readonly mayShrink: boolean },
): Verdict {
  const schedule = restricted(makeSchedule(seed), only);
  const { violations, control, attacked } = judge(schedule);
  const { trust, attacker, hosts } = schedule;
  const title = `${hosts.length} nodes, ${trust}, ${attacker}`;
  const unexplained = violations.filter((violation) => !isKnown(violation, schedule));
  const worst = unexplained.at(0);
  const smallest = mayShrink && worst !== undefined ? shrink(schedule, worst.invariant, control) : schedule;
  return { seed, violations, unexplained, title, smallest: [...smallest.kinds], control, attacked };
}

export function formatVerdict({ seed, violations, title, smallest }: Verdict): string {
  return [
    `seed ${seed} (${title}):`,
    ...violations.map(({ invariant, at, text }) => `  ${invariant}, at ${at} ms: ${text}`),
    `  again: npm run chaos -- --seed ${seed} --only ${smallest.join() || 'none'}`,
  ].join('\n');
}

function restricted(schedule: Schedule, only: readonly AttackKind[] | undefined): Schedule {
  if (only === undefined) return schedule;
  return without(schedule, new Set([...schedule.kinds].filter((kind) => !only.includes(kind))));
}
