/** Makes and removes the namespaces of a lab, and runs commands in them, by iproute2. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { runIpBatch } from '../src/linux/index.ts';
import { LabError } from './lab-error.ts';
import { nodeNumbers, type Link } from './topology.ts';
import { creationLines, namespaceName, nodeLines } from './underlay.ts';

function isThere(namespace: string): boolean {
  return existsSync(`/run/netns/${namespace}`);
}

/** Somebody else's namespace of one of the lab's names must be neither used nor, later, removed. */
export function requireFreeNames(namespaces: readonly string[]): void {
  const taken = namespaces.find(isThere);
  if (taken !== undefined) {
    throw new LabError(
      `there is a namespace ${taken} that no lab recorded: remove it with "ip netns delete ${taken}", ` +
        'or give the lab another name with --lab',
    );
  }
}

export async function createNamespaces(lab: string, count: number, links: readonly Link[]): Promise<void> {
  await runIpBatch(creationLines(lab, count, links));
  for (const node of nodeNumbers(count)) {
    const namespace = namespaceName(lab, node);
    await runIpBatch(nodeLines(node, links), { namespace });
    await forward(namespace);
  }
}

/** Makes a router of the namespace. A file shows the switch of the namespace that its reader is in. */
async function forward(namespace: string): Promise<void> {
  await turnOn(namespace, ['net/ipv6/conf/all/forwarding']);
}

/** Sets switches of the namespace (below /proc/sys) to 1. */
export async function turnOn(namespace: string, switches: readonly string[]): Promise<void> {
  const files = switches.map((name) => `/proc/sys/${name}`);
  const tee = commandIn(namespace, ['tee', ...files]);
  const child = spawn(tee.file, tee.args, { stdio: ['pipe', 'ignore', 'ignore'] });
  child.stdin.end('1\n');
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  if (code !== 0) throw new LabError(`cannot turn on ${switches.join(', ')} in ${namespace}: is /proc/sys writable?`);
}

/** Removes those of the namespaces that are there; links, routes and devices go with them. */
export async function removeNamespaces(namespaces: readonly string[]): Promise<void> {
  const present = namespaces.filter(isThere);
  if (present.length > 0) await runIpBatch(present.map((namespace) => `netns delete ${namespace}`));
}

/** What to start so that `command` runs in `namespace`. */
export function commandIn(namespace: string, command: readonly string[]): { file: string; args: string[] } {
  return { file: 'ip', args: ['netns', 'exec', namespace, ...command] };
}
