/** The daemons of a lab: one `wiremesh up` a node, in the node's namespace, in the background. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { StatusDocument } from '../src/api/index.ts';
import { DaemonClient } from '../src/cli/client.ts';
import { WiremeshError } from '../src/error.ts';
import { LabError } from './lab-error.ts';
import { commandIn } from './namespaces.ts';
import { endProcesses, processesMarked, type ProcessReference } from './processes.ts';
import { labDirectory, nodePaths } from './state.ts';
import { neighboursOf, type Link } from './topology.ts';
import { interfaceTo, namespaceName, nodeName } from './underlay.ts';

/** The command beside the lab that runs, compiled or not. */
export const WIREMESH = fileURLToPath(new URL(`../bin/wiremesh${extname(import.meta.url)}`, import.meta.url));

/** The variable that tells a lab's daemons from all other processes; its value is the node's directory. */
const MARK = 'WIREMESH_LAB_NODE';
const START_TIMEOUT_MS = 60_000;
/** A daemon says goodbye to the others and lets go of its device in a fraction of this. */
const END_TIMEOUT_MS = 10_000;

/** Starts the daemon of `node`. @returns its status, once it answers for itself; it then needs us no longer */
export async function startDaemon(lab: string, node: number, links: readonly Link[]): Promise<StatusDocument> {
  const { directory, socket, log } = nodePaths(lab, node);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const logDescriptor = openSync(log, 'a', 0o600);
  const { file, args } = commandIn(namespaceName(lab, node), [
    ...[process.execPath, WIREMESH, 'up'],
    ...['--name', nodeName(node), '--state-dir', directory, '--socket', socket],
    // An installed wiremesh's own settings are not for the lab.
    ...['--config', '/dev/null'],
    ...neighboursOf(node, links).flatMap((neighbour) => ['--link', interfaceTo(neighbour)]),
  ]);
  const child = spawn(file, args, {
    env: { PATH: process.env['PATH'], [MARK]: directory },
    stdio: ['ignore', logDescriptor, logDescriptor],
    detached: true,
  });
  closeSync(logDescriptor);
  const status = await answered(child, socket, () => {
    const lastLine = readFileSync(log, 'utf8').trimEnd().split('\n').at(-1);
    return new LabError(`the daemon of ${nodeName(node)} did not start: ${lastLine || 'it left no word'}`);
  });
  child.unref();
  return status;
}

async function answered(child: ChildProcess, socket: string, failure: () => LabError): Promise<StatusDocument> {
  let ended = false;
  child.once('error', () => (ended = true)).once('exit', () => (ended = true));
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!ended && performance.now() < deadline) {
    const status = await queryStatus(socket);
    if (status !== undefined) return status;
    await delay(50);
  }
  throw failure();
}

/** What the daemon on `socket` says, or `undefined` if none answers there. */
export async function queryStatus(socket: string): Promise<StatusDocument | undefined> {
  try {
    return await new DaemonClient({ socket }).status();
  } catch (error) {
    if (error instanceof WiremeshError) return undefined;
    throw error;
  }
}

/** The running daemons of a lab by their nodes' directories; a daemon's own children are not among them. */
export function runningDaemons(lab: string): Map<string, ProcessReference> {
  return new Map([...markedProcesses(lab)].map(([directory, [eldest]]) => [directory, eldest as ProcessReference]));
}

function markedProcesses(lab: string): [string, ProcessReference[]][] {
  return [...processesMarked(MARK)].filter(([directory]) => directory.startsWith(`${labDirectory(lab)}/`));
}

/** Ends all of a lab's daemons, whoever started them when. */
export async function endDaemons(lab: string): Promise<void> {
  await endProcesses(
    markedProcesses(lab).flatMap(([, processes]) => processes),
    END_TIMEOUT_MS,
  );
}
