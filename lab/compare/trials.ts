/** Runs scenarios for the comparison, each in a process of its own: `wiremesh lab run`, as users have it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { WIREMESH } from '../daemons.ts';
import type { Report } from '../run/report.ts';
import { findScenario } from '../scenario/scenario-file.ts';
import { figuresOf, type Figure } from './figures.ts';
import { scenarioFor, tables, type Spelled, type Variant } from './variants.ts';

export interface Trial {
  /** Of those that come with wiremesh. */
  readonly scenario: string;
  readonly variant: Variant;
}

export interface Outcome {
  readonly figures: readonly Figure[];
  /** Why it did not get to its end, if it did not; no figure came true then. */
  readonly failure?: string;
}

/** Trials of which some may run at the same time. */
export interface Lane {
  readonly atOnce: number;
  readonly trials: readonly Trial[];
}

/** Scenarios in which all the time is for converging: starting daemons is a load, so one runs at a time. */
const CONVERGING = ['line-3', 'line-10', 'ring-10', 'grid-4x4'];
/** Scenarios with a timeline: most of the time they wait, and what they send is little. */
const TIMED = ['ring-cut', 'gateways'];
/**
 * Takes the time that it takes, and is of many nodes anyway: it runs once. One variant at a time: each wireguard-go has an
 * inotify instance, of which a user may have 128 (fs.inotify.max_user_instances), and there are 98.
 */
const RESTING = ['rest-30'];
export const SCENARIOS: readonly string[] = [...CONVERGING, ...TIMED, ...RESTING];

const WAITING_AT_ONCE = 3;
const TIMED_AT_ONCE = 6;

/** What to run, one step after the other; the lanes of a step run side by side. */
export function plan(scenarios: readonly string[], variants: readonly Variant[], rounds: number): Lane[][] {
  const trials = (among: readonly string[], times: number, ofVariants = variants): Trial[] =>
    Array.from({ length: times }, () =>
      among
        .filter((scenario) => scenarios.includes(scenario))
        .flatMap((scenario) => ofVariants.map((variant) => ({ scenario, variant }))),
    ).flat();
  const isSlow = ({ patience }: Variant) => patience > 1;
  return [
    [
      { atOnce: 1, trials: trials(CONVERGING, rounds, variants.filter((variant) => !isSlow(variant))) }, // prettier-ignore
      // What needs patience waits, and takes next to nothing from the other lane.
      { atOnce: WAITING_AT_ONCE, trials: trials(CONVERGING, rounds, variants.filter(isSlow)) },
    ],
    [{ atOnce: TIMED_AT_ONCE, trials: trials(TIMED, rounds) }],
    [{ atOnce: 1, trials: trials(RESTING, 1) }],
  ];
}

/** Runs the trials of a lane; `onDone` is told what came of each. */
export async function runLane(
  { atOnce, trials }: Lane,
  signal: AbortSignal,
  onDone: (trial: Trial, outcome: Outcome) => void,
): Promise<void> {
  const waiting = [...trials];
  const runNext = async (): Promise<void> => {
    for (let trial = waiting.shift(); trial !== undefined; trial = waiting.shift()) {
      signal.throwIfAborted();
      onDone(trial, await runTrial(trial, signal));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runNext));
  signal.throwIfAborted();
}

let labs = 0;

async function runTrial({ scenario, variant }: Trial, signal: AbortSignal): Promise<Outcome> {
  const document = parse(readFileSync(findScenario(scenario), 'utf8')) as Spelled;
  const adapted = scenarioFor(document, variant, TIMED.includes(scenario));
  const expectations = tables(adapted['expect']);
  const directory = mkdtempSync(join(tmpdir(), 'wiremesh-compare-'));
  const file = join(directory, `${scenario}.json`);
  const lab = `cmp${process.pid}x${labs++}`;
  try {
    writeFileSync(file, JSON.stringify(adapted));
    const args = ['lab', 'run', file, '--lab', lab, '--kind', variant.kind, '--json', '--output', directory];
    const { stdout, stderr } = await runWiremesh(args, signal);
    // Failures of what was done come before what was expected.
    if (stdout.startsWith('{')) {
      return { figures: figuresOf(expectations, (JSON.parse(stdout) as Report).verdicts.slice(-expectations.length)) };
    }
    const nothing = expectations.map(() => ({ passed: false, expected: '', seen: '' }));
    return { figures: figuresOf(expectations, nothing), failure: stderr.trim() };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Resolves when it has ended, whatever with: 1 says that not everything came true. */
function runWiremesh(args: readonly string[], signal: AbortSignal): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [WIREMESH, ...args], (_error, stdout, stderr) => {
      signal.removeEventListener('abort', end);
      resolve({ stdout, stderr });
    });
    // It takes its lab down before it ends.
    const end = () => child.kill('SIGTERM');
    signal.addEventListener('abort', end);
  });
}
