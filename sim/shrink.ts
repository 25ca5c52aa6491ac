/** Makes a failing schedule smaller: leaves out the attacks of whole kinds for as long as it fails in the same way. */
import { judge, type Outcome } from './run.ts';
import { without, type AttackKind, type Schedule } from './schedule.ts';
import type { Invariant } from './violations.ts';

/** `control`: what became of it without an attacker. */
export function shrink(schedule: Schedule, invariant: Invariant, control: Outcome): Schedule {
  let smallest = schedule;
  for (const kind of schedule.kinds) {
    const smaller = without(smallest, new Set<AttackKind>([kind]));
    if (judge(smaller, control).violations.some((violation) => violation.invariant === invariant)) smallest = smaller;
  }
  return smallest;
}
