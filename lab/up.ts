import { basename, relative } from 'node:path';
import type { StatusDocument } from '../src/api/index.ts';
import { WIREMESH } from './daemons.ts';
import { LabError } from './lab-error.ts';
import { createUnderlay, finishLab, removeLab, startDaemons, type LabPlan } from './lab.ts';
import { labDirectory, nodePaths } from './state.ts';
import { DEFAULT_LAB, namespaceName } from './underlay.ts';

/** `wiremesh lab up`: all of it or, after a failure or Ctrl-C, nothing. */
export async function labUp(plan: LabPlan): Promise<void> {
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new LabError('interrupted: the lab is taken down again'));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  await createUnderlay(plan);
  try {
    const statuses = await startDaemons(plan, interruption.signal);
    finishLab(plan);
    process.stdout.write(`${describeLab(plan, statuses)}\n`);
  } catch (error) {
    await removeLab(plan.lab);
    throw error;
  }
}

function describeLab({ lab, nodes, topology }: LabPlan, statuses: readonly StatusDocument[]): string {
  // As it is installed, or as it is built: by a path then.
  const wiremesh = basename(process.argv[1] ?? '') === 'wiremesh' ? 'wiremesh' : relative('', WIREMESH);
  const choice = lab === DEFAULT_LAB ? '' : ` --lab ${lab}`;
  const last = statuses.at(-1)?.self.address ?? '';
  return [
    `${nodes} nodes, ${topology}; logs in ${labDirectory(lab)}`,
    ...statuses.map(({ self }, i) => `  ${self.hostName}  ${self.address}  namespace ${namespaceName(lab, i + 1)}`),
    'Try:',
    `  ${wiremesh} lab status${choice}`,
    `  ${wiremesh} lab exec n1${choice} -- ping -c 3 ${last}`,
    `  ${wiremesh} status --socket ${nodePaths(lab, 1).socket}`,
    `  ${wiremesh} lab down${choice}`,
  ].join('\n');
}
