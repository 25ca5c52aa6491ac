import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { LabError } from './lab-error.ts';
import { requireLab } from './lab.ts';
import { commandIn } from './namespaces.ts';
import { nodeNumbers } from './topology.ts';
import { namespaceName, nodeName } from './underlay.ts';

/** `wiremesh lab exec`: runs `command` in a node's namespace, on our terminal. @returns its exit code */
export async function labExec(lab: string, node: string, command: readonly string[]): Promise<number> {
  const count = requireLab(lab).nodes;
  const number = nodeNumbers(count).find((candidate) => nodeName(candidate) === node);
  if (number === undefined) throw new LabError(`no node "${node}" in the lab: there are n1 to n${count}`);
  const { file, args } = commandIn(namespaceName(lab, number), command);
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
