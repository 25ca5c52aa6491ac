/**
 * An attacker in random schedules, from the command line (docs/testing.md): `npm run chaos -- --seeds 1000 --from 1`, or one
 * schedule again: `npm run chaos -- --seed 17`, with `--only hello,replay` for attacks of these kinds alone.
 */
import { parseArgs } from 'node:util';
import { describeSchedule } from './describe.ts';
import type { Outcome } from './run.ts';
import { makeSchedule, type AttackKind } from './schedule.ts';
import { formatVerdict, type Verdict } from './verdict.ts';
import { verdictsOn } from './watched.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    only: { type: 'string' },
    'no-shrinking': { type: 'boolean', default: false },
  },
});
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const seeds = Array.from({ length: count }, (_, i) => first + i);
const only = values.only?.split(',') as AttackKind[] | undefined;
let unexplained = 0;
const found = new Map<string, number>();
if (values.seed !== undefined) console.log(describeSchedule(makeSchedule(first)).join('\n'));
for await (const verdict of verdictsOn({ seeds, only, mayShrink: !values['no-shrinking'] })) {
  if (verdict.unexplained.length > 0) unexplained += 1;
  if (verdict.violations.length > 0) console.log(formatVerdict(verdict));
  if (values.seed !== undefined) console.log(figuresOf(verdict));
  for (const invariant of new Set(verdict.violations.map((violation) => violation.invariant))) {
    found.set(invariant, (found.get(invariant) ?? 0) + 1);
  }
}
console.log(`${unexplained} of them fail in a way that sim/known-holes.ts does not explain`);
console.log(`${count} schedules: ${[...found].map((entry) => entry.join(' ')).join(', ') || 'all is well'}`);
process.exitCode = found.size === 0 ? 0 : 1;

function figuresOf({ control, attacked }: Verdict): string {
  const arrivedIn = ({ fates }: Outcome) => fates.flat().filter((fate) => fate === 'arrived').length;
  const { honestBytes, attackerBytes, bystanderBytes, mostStrangers } = attacked;
  return [
    `  ${arrivedIn(attacked)} packets arrived, ${arrivedIn(control)} without the attacker`,
    `  honest nodes sent ${honestBytes} bytes, ${control.honestBytes} without the attacker, who sent ${attackerBytes}`,
    `  ${bystanderBytes} bytes went to a bystander; a node knew ${mostStrangers} strangers`,
  ].join('\n');
}
