/** `npm run compare`: the lab's scenarios with wiremesh and with Debian's wireguard-go and babeld, as a table. Needs root. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { machineUnderTest, QUIET_LOAD } from '../bench/machine.ts';
import { WiremeshError } from '../src/error.ts';
import { formatTable, replaceComparison, type Row } from './compare/table.ts';
import { plan, runLane, SCENARIOS, type Outcome, type Trial } from './compare/trials.ts';
import { VARIANTS } from './compare/variants.ts';
import { LabError } from './lab-error.ts';
import { requireHost } from './lab.ts';
import { scenariosDirectory } from './scenario/scenario-file.ts';

const ROOT = join(scenariosDirectory(), '..', '..');
const PAGE = join(ROOT, 'docs', 'paths.md');
const RESULTS = join(ROOT, 'bench', 'results', 'comparison.json');
const NAMES = VARIANTS.map(({ name }) => name);

interface GrowingRow extends Row {
  readonly values: Record<string, (number | null)[]>;
}

async function compare(scenarios: readonly string[], rounds: number, signal: AbortSignal): Promise<Row[]> {
  const rows = new Map<string, GrowingRow>();
  const onDone = ({ scenario, variant }: Trial, { figures, failure }: Outcome) => {
    if (signal.aborted) return;
    const seen = figures.map(({ what, value }) => `${what}: ${value === undefined ? 'not reached' : value.toFixed(3)}`);
    tell(`${scenario}, ${variant.name}: ${failure ?? seen.join('; ')}`);
    for (const { what, unit, value } of figures) {
      const values = Object.fromEntries(NAMES.map((name): [string, number[]] => [name, []]));
      const row: GrowingRow = rows.get(`${scenario} ${what}`) ?? { scenario, what, unit, values };
      row.values[variant.name].push(value ?? null);
      rows.set(`${scenario} ${what}`, row);
    }
  };
  for (const lanes of plan(scenarios, VARIANTS, rounds)) {
    await Promise.all(lanes.map((lane) => runLane(lane, signal, onDone)));
  }
  // In the order of the list, whichever ended first.
  return SCENARIOS.flatMap((name) => [...rows.values()].filter(({ scenario }) => scenario === name));
}

async function main(named: readonly string[], { rounds }: { readonly rounds: number }): Promise<void> {
  requireHost();
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => interruption.abort(new LabError('interrupted: the labs are taken down')));
  }
  const startedAt = performance.now();
  const machine = { ...machineUnderTest(), babeld: babeldVersion() };
  if (machine.loadBefore > QUIET_LOAD) tell(`the load of this machine is ${machine.loadBefore.toFixed(2)}: wait`);
  const rows = await compare(named.length === 0 ? SCENARIOS : named, rounds, interruption.signal);
  const { cpu, cores, kernel, node, wireguardGo, babeld, loadBefore } = machine;
  const minutes = (performance.now() - startedAt) / 60_000;
  const text = [
    `${cores} cores of ${cpu}, Linux ${kernel}, Node ${node}, wireguard-go ${wireguardGo}, babeld ${babeld}; load before:`,
    `${loadBefore.toFixed(2)}. Medians of ${rounds} runs, the least and the most in brackets; all in ${minutes.toFixed(1)} minutes.`,
    '',
    formatTable(NAMES, rows),
  ].join('\n');
  process.stdout.write(`${text}\n`);
  // Some scenarios alone are for whoever tries something; the page has one run of all.
  if (named.length > 0) return;
  writeFileSync(PAGE, replaceComparison(readFileSync(PAGE, 'utf8'), text));
  writeFileSync(RESULTS, `${JSON.stringify({ machine, rounds, minutes, rows }, undefined, 2)}\n`);
}

function babeldVersion(): string {
  // It says so as an error.
  return /[\d.]+/.exec(spawnSync('babeld', ['-V'], { encoding: 'utf8' }).stderr)?.[0] ?? 'unknown';
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function atLeastOne(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 is wanted');
  return value;
}

const program = new Command('compare')
  .description('Runs scenarios of the lab with several routing daemons, and compares. All of them: into docs/paths.md.')
  .addArgument(new Argument('[scenario...]', 'some alone, printed only').choices(SCENARIOS))
  .option('--rounds <n>', 'runs of each', atLeastOne, 3)
  .action(main);
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof WiremeshError)) throw error;
  tell(error.message);
  process.exitCode = 1;
}
