/**
 * What a lab must know to be found again: written before anything is made, so that whatever a killed `lab up` left
 * can be removed. Names of namespaces follow from it, and daemons carry its directory as a mark (processes.ts).
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { LabError } from './lab-error.ts';
import { isRunning, processReference } from './processes.ts';
import { NODE_KINDS } from './scenario/schema.ts';
import { TOPOLOGIES } from './topology.ts';
import { cablesNamespace, namespaceOf, nodeName } from './underlay.ts';

const LABS_DIRECTORY = '/run/wiremesh-lab';
const STATE_FILE = 'lab.json';

const stateSchema = v.object({
  /** Of a lab that was raised by `lab up`. */
  topology: v.optional(v.picklist(TOPOLOGIES)),
  /** The file of the scenario that runs, where one does. */
  scenario: v.optional(v.string()),
  /** What runs on its nodes instead of wiremesh. */
  kind: v.optional(v.picklist(NODE_KINDS)),
  /** The names of all nodes. */
  nodes: v.array(v.string()),
  /** The process that makes the lab, or that the lab ends with; none once `lab up` has done its work. */
  keeper: v.optional(v.object({ pid: v.number(), startTime: v.number() })),
});
export type LabState = v.InferOutput<typeof stateSchema>;

/** All namespaces that the lab may have made. */
export function namespacesOf(lab: string, { nodes }: LabState): string[] {
  return [...nodes.map((node) => namespaceOf(lab, node)), cablesNamespace(lab)];
}

export function labDirectory(lab: string): string {
  return join(LABS_DIRECTORY, lab);
}

export function nodePaths(lab: string, node: number) {
  return pathsOf(lab, nodeName(node));
}

/** The files of one node. The directory is also the mark that its daemon carries. */
export function pathsOf(lab: string, node: string) {
  const directory = `${labDirectory(lab)}/${node}`;
  return { directory, socket: `${directory}.sock`, log: `${directory}.log` };
}

function stateFile(lab: string): string {
  return join(labDirectory(lab), STATE_FILE);
}

/** The lab's state, or `undefined` if no such lab is there. */
export function readState(lab: string): LabState | undefined {
  let text: string;
  try {
    text = readFileSync(stateFile(lab), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return v.parse(stateSchema, JSON.parse(text));
  } catch {
    throw new LabError(`${stateFile(lab)} is damaged: remove the namespaces by hand ("ip netns"), then the file`);
  }
}

/**
 * Makes the directory of a new lab with its state in it, in one step: whenever this process is killed, either the lab is
 * there and can be taken down, or nothing bears its name.
 * @returns whether there was none; of two that try at once, one gets it
 */
export function claimState(lab: string, state: LabState): boolean {
  const draft = `${draftPrefix(lab)}${process.pid}`;
  mkdirSync(draft, { recursive: true, mode: 0o700 });
  writeFileSync(join(draft, STATE_FILE), JSON.stringify(state), { mode: 0o600 });
  try {
    renameSync(draft, labDirectory(lab));
    return true;
  } catch (error) {
    rmSync(draft, { recursive: true });
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

export function writeState(lab: string, state: LabState): void {
  const draft = `${stateFile(lab)}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(state), { mode: 0o600 });
  renameSync(draft, stateFile(lab));
}

/** Forgets the lab with all its files, and the directory of all labs with the last one. */
export function removeState(lab: string): void {
  rmSync(labDirectory(lab), { recursive: true, force: true });
  removeDrafts(lab);
  try {
    rmdirSync(LABS_DIRECTORY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  }
}

/** Removes what processes left that were killed before the lab bore its name. */
export function removeDrafts(lab: string): void {
  if (!existsSync(LABS_DIRECTORY)) return;
  const prefix = basename(draftPrefix(lab));
  for (const name of readdirSync(LABS_DIRECTORY)) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : NaN;
    if (Number.isInteger(pid) && processReference(pid) === undefined) {
      rmSync(join(LABS_DIRECTORY, name), { recursive: true, force: true });
    }
  }
}

/** No lab's name begins with a dot. */
function draftPrefix(lab: string): string {
  return join(LABS_DIRECTORY, `.${lab}.`);
}

/** Whether the lab was left behind by a process that was to remove it, or to finish it, and died. */
export function isAbandoned({ keeper }: LabState): boolean {
  return keeper !== undefined && !isRunning(keeper);
}
