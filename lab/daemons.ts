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
import { labDirectory, pathsOf } from './state.ts';
import { neighboursOf, type Link } from './topology.ts';
import { interfaceTo, namespaceOf, nodeName } from './underlay.ts';

/** The command beside the lab that runs, compiled or not. */
export const WIREMESH = fileURLToPath(new URL(`../bin/wiremesh${extname(import.meta.url)}`, import.meta.url));

/** The variable that tells a lab's processes from all others; for a daemon, its value is the node's directory. */
const MARK = 'WIREMESH_LAB_NODE';
const START_TIMEOUT_MS = 60_000;
/** A daemon says goodbye to the others and lets go of its device in a fraction of this. */
const END_TIMEOUT_MS = 10_000;

/** Marks what this process starts from now on, so that it is ended with the lab should it outlive us. */
export function markChildren(lab: string): void {
  process.env[MARK] = labDirectory(lab);
}

/** Starts the daemon of `node`. @returns its status, once it answers for itself; it then needs us no longer */
export async function startDaemon(
  lab: string,
  node: number,
  links: readonly Link[],
  signal?: AbortSignal,
): Promise<StatusDocument> {
  const name = nodeName(node);
  // An installed wiremesh's own settings are not for the lab.
  const choices = { links: neighboursOf(node, links).map(interfaceTo), config: '/dev/null' };
  return daemonAnswers(lab, name, spawnWiremesh(lab, name, choices), signal);
}

export function spawnWiremesh(
  lab: string,
  node: string,
  { links, config }: { readonly links: readonly string[]; readonly config: string },
): ChildProcess {
  const { directory, socket } = pathsOf(lab, node);
  return spawnMarked(lab, node, [
    ...[process.execPath, WIREMESH, 'up', '--name', node],
    ...['--state-dir', directory, '--socket', socket, '--config', config],
    ...links.flatMap((link) => ['--link', link]),
  ]);
}

/** Starts `command` in the namespace of `node`, marked as the node's; what it writes goes to the node's log. */
export function spawnMarked(lab: string, node: string, command: readonly string[]): ChildProcess {
  const { directory, log } = pathsOf(lab, node);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const logDescriptor = openSync(log, 'a', 0o600);
  const { file, args } = commandIn(namespaceOf(lab, node), command);
  const child = spawn(file, args, {
    env: { PATH: process.env['PATH'], [MARK]: directory },
    stdio: ['ignore', logDescriptor, logDescriptor],
    detached: true,
  });
  closeSync(logDescriptor);
  return child;
}

/** @returns the daemon's status, once it answers for itself; it then needs us no longer. @throws LabError */
export async function daemonAnswers(
  lab: string,
  node: string,
  child: ChildProcess,
  signal?: AbortSignal,
): Promise<StatusDocument> {
  const { socket, log } = pathsOf(lab, node);
  const status = await answered(child, socket, signal);
  if (status === undefined) {
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    // What ends a daemon is its last word; a crash of Node's puts a stack and its version behind the error.
    const lastLine = lines.findLast((line) => /^(wiremesh: |\w*Error\b)/.test(line)) ?? lines.at(-1);
    throw new LabError(`the daemon of ${node} did not start: ${lastLine || 'it left no word'}`);
  }
  child.unref();
  return status;
}

/** @returns `undefined` if the daemon ends or is still silent after a while */
async function answered(child: ChildProcess, socket: string, signal?: AbortSignal) {
  let ended = false;
  child.once('error', () => (ended = true)).once('exit', () => (ended = true));
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!ended && performance.now() < deadline) {
    signal?.throwIfAborted();
    const status = await queryStatus(socket);
    if (status !== undefined) return status;
    await delay(50);
  }
  return undefined;
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
  const daemons = markedProcesses(lab).filter(([mark]) => mark !== labDirectory(lab));
  return new Map(daemons.map(([directory, [eldest]]) => [directory, eldest as ProcessReference]));
}

function markedProcesses(lab: string): [mark: string, ProcessReference[]][] {
  const directory = labDirectory(lab);
  return [...processesMarked(MARK)].filter(([mark]) => mark === directory || mark.startsWith(`${directory}/`));
}

/** The running processes of one node. */
export function processesOf(lab: string, node: string): readonly ProcessReference[] {
  return processesByDirectory(lab).get(pathsOf(lab, node).directory) ?? [];
}

/** Those of all nodes, by their directories. */
export function processesByDirectory(lab: string): Map<string, ProcessReference[]> {
  return new Map(markedProcesses(lab));
}

/** Ends all of a lab's daemons, and an `ip` that a killed `lab up` left at work. */
export async function endDaemons(lab: string): Promise<void> {
  await endProcesses(
    markedProcesses(lab).flatMap(([, processes]) => processes),
    END_TIMEOUT_MS,
  );
}
