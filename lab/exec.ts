import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { LabError } from './lab-error.ts';
import { requireLab } from './lab.ts';
import { commandIn } from './namespaces.ts';
import { namespaceOf } from './underlay.ts';

/** `wiremesh lab exec`: runs `command` in a node's namespace, on our terminal. @returns its exit code */
export async function labExec(lab: string, node: string, command: readonly string[]): Promise<number> {
  const { nodes } = requireLab(lab);
  if (!nodes.includes(node)) throw new LabError(`no node "${node}" in the lab: there are ${nodes.join(', ')}`);
  const { file, args } = commandIn(namespaceOf(lab, node), command);
  // Ctrl-C reaches the command from the terminal; we outlive it to pass its exit code on.
  const ignore = () => {};
  process.on('SIGINT', ignore);
  try {
    const child = spawn(file, args, { stdio: 'inherit' });
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      // As a shell reports a command that a signal ended.
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
    });
  } finally {
    process.off('SIGINT', ignore);
  }
}
