/** `wiremesh lab run`: a scenario from beginning to end, and a report. */
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WiremeshError } from '../../src/error.ts';
import { LabError } from '../lab-error.ts';
import { claimLab, removeLab } from '../lab.ts';
import { findScenario, readScenario } from '../scenario/scenario-file.ts';
import type { NodeKind } from '../scenario/schema.ts';
import { labDirectory } from '../state.ts';
import { formatReport, hasPassed, type Report } from './report.ts';
import { requireTools } from './tools.ts';
import { ScenarioRun } from './scenario-run.ts';

export interface RunOptions {
  readonly lab: string;
  readonly kind?: NodeKind;
  /** Where to keep logs and the capture, also of a run in which nothing failed. */
  readonly output?: string;
  readonly json?: true;
  readonly stay?: true;
}

/** @returns the exit code: 0 only if everything expected came true */
export async function labRun(scenarioName: string, options: RunOptions): Promise<number> {
  const file = findScenario(scenarioName);
  const scenario = readScenario(file, options.kind);
  requireTools(scenario);
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new LabError('interrupted: the lab is taken down again'));
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  await claimLab(options.lab, {
    scenario: resolve(file),
    kind: options.kind,
    nodes: scenario.nodes.map(({ name }) => name),
  });
  const run = new ScenarioRun(options.lab, scenario, interruption.signal);
  try {
    const report = await run.run();
    const kept = hasPassed(report) && options.output === undefined ? undefined : keep(options, file);
    say(report, kept, options);
    if (options.stay) await stay(interruption.signal);
    return hasPassed(report) ? 0 : 1;
  } catch (error) {
    if (interruption.signal.aborted) throw interruption.signal.reason;
    throw explained(error, keep(options, file));
  } finally {
    await run.close();
    await removeLab(options.lab);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

function say(report: Report, kept: string | undefined, { json }: RunOptions): void {
  if (json) process.stdout.write(`${JSON.stringify({ ...report, passed: hasPassed(report), kept }, undefined, 2)}\n`);
  else process.stdout.write(`${formatReport(report)}${kept === undefined ? '' : `; logs and capture in ${kept}`}\n\n`);
}

/** Saves the logs and the capture from the lab's end. @returns where they are */
function keep({ lab, output }: RunOptions, file: string): string {
  const name = basename(file).replace(/\.\w+$/, '');
  const moment = new Date().toISOString().replace(/[:.]/g, '-');
  const directory = output ?? join(tmpdir(), 'wiremesh-lab', `${name}-${moment}`);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (existsSync(labDirectory(lab))) {
    // Directories of nodes hold keys; sockets cannot be copied.
    const isWanted = (path: string) => path === labDirectory(lab) || /\.(log|pcapng|nft)$/.test(path);
    cpSync(labDirectory(lab), directory, { recursive: true, filter: isWanted });
  }
  return directory;
}

function explained(error: unknown, kept: string): unknown {
  return error instanceof WiremeshError ? new LabError(`${error.message}; logs and capture in ${kept}`) : error;
}

async function stay(signal: AbortSignal): Promise<void> {
  process.stderr.write('The lab stays up until Ctrl-C.\n');
  await delay(2 ** 31 - 1, undefined, { signal }).catch(() => undefined);
}
