/**
 * A virtual mesh on one machine: raising it, looking at it, taking it down. What is made is recorded first (state.ts),
 * so that `removeLab` finds it whatever happened in between.
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { StatusDocument } from '../src/api/index.ts';
import { endDaemons, markChildren, queryStatus, runningDaemons, startDaemon } from './daemons.ts';
import { LabError, NoLabError } from './lab-error.ts';
import { createNamespaces, removeNamespaces, requireFreeNames } from './namespaces.ts';
import { processReference } from './processes.ts';
import {
  claimState,
  isAbandoned,
  namespacesOf,
  pathsOf,
  readState,
  removeDrafts,
  removeState,
  writeState,
  type LabState,
} from './state.ts';
import { linksOf, nodeNumbers, type Topology } from './topology.ts';
import { namespaceOf, nodeName, underlayAddress } from './underlay.ts';

export interface LabPlan {
  /** Tells labs apart that are up at the same time. */
  readonly lab: string;
  readonly nodes: number;
  readonly topology: Topology;
}

/** Checks what a lab needs of its host, before anything is changed. */
export function requireHost(): void {
  if (process.getuid?.() !== 0) throw new LabError('the lab makes network namespaces: run it as root');
  if (!existsSync('/dev/net/tun')) {
    throw new LabError(
      '/dev/net/tun is missing: run "modprobe tun", or start the container with --device /dev/net/tun',
    );
  }
  const directories = (process.env['PATH'] ?? '').split(':');
  if (!directories.some((directory) => existsSync(`${directory}/ip`))) {
    throw new LabError('the command "ip" is missing: install iproute2');
  }
}

/** Makes namespaces and links, and no daemons yet. Until `finishLab`, the lab counts as ours and goes with us. */
export async function createUnderlay({ lab, nodes, topology }: LabPlan): Promise<void> {
  await claimLab(lab, { topology, nodes: nodeNumbers(nodes).map(nodeName) });
  await createNamespaces(lab, nodes, linksOf(topology, nodes));
}

/** Makes the lab ours, before anything is made of it; what a killed process left of it goes. @throws LabError */
export async function claimLab(lab: string, wanted: LabState): Promise<void> {
  requireHost();
  const state = readState(lab);
  if (state !== undefined && !isAbandoned(state)) throw isUpError(lab, state);
  await removeLab(lab);
  requireFreeNames(namespacesOf(lab, wanted));
  const keeper = processReference(process.pid);
  if (!claimState(lab, { ...wanted, ...(keeper && { keeper }) })) throw isUpError(lab, readState(lab));
  markChildren(lab);
}

function isUpError(lab: string, state: LabState | undefined): LabError {
  if (state?.keeper !== undefined) {
    return new LabError(`the lab "${lab}" belongs to process ${state.keeper.pid}, which still runs: end that first`);
  }
  return new LabError(`the lab "${lab}" is up already: see "wiremesh lab status", or end it with "wiremesh lab down"`);
}

/** Starts a daemon in every namespace, a few at a time. @returns their status once all of them answer */
export async function startDaemons({ lab, nodes, topology }: LabPlan, signal: AbortSignal): Promise<StatusDocument[]> {
  const links = linksOf(topology, nodes);
  const waiting = nodeNumbers(nodes);
  const statuses: StatusDocument[] = [];
  const startNext = async (): Promise<void> => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      signal.throwIfAborted();
      statuses[node - 1] = await startDaemon(lab, node, links, signal);
    }
  };
  const results = await Promise.allSettled(Array.from({ length: availableParallelism() }, startNext));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  signal.throwIfAborted();
  return statuses;
}

/** Waits until every node has a tunnel to every other. @throws LabError that says who is alone, after `timeoutMs` */
export async function waitForTunnels(lab: string, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const { nodes } = await inspectLab(lab);
    const others = nodes.length - 1;
    const behind = nodes.filter((node) => tunnelsUp(node) < others);
    if (behind.length === 0) return;
    if (performance.now() > deadline) {
      const counts = behind.map((node) => `${node.name} has ${tunnelsUp(node)} of ${others}`);
      throw new LabError(`not all tunnels came up in ${timeoutMs / 1000} s: ${counts.join(', ')}`);
    }
    await delay(200);
  }
}

/** Lets the lab live on without this process. */
export function finishLab({ lab, nodes, topology }: LabPlan): void {
  writeState(lab, { topology, nodes: nodeNumbers(nodes).map(nodeName) });
}

/** Removes the lab and all that belongs to it, however far it got. @returns whether there was one */
export async function removeLab(lab: string): Promise<boolean> {
  const state = readState(lab);
  if (state === undefined) {
    removeDrafts(lab);
    return false;
  }
  if (state.keeper !== undefined && state.keeper.pid !== process.pid && !isAbandoned(state))
    throw isUpError(lab, state);
  await endDaemons(lab);
  await removeNamespaces(namespacesOf(lab, state));
  removeState(lab);
  return true;
}

/** What there is to know of one node of a lab. */
export interface LabNode {
  readonly name: string;
  readonly namespace: string;
  /** Of a lab that was raised by `lab up`. */
  readonly underlayAddress?: string;
  readonly socket: string;
  readonly log: string;
  /** The process number of its daemon, if that runs. */
  readonly daemonPid: number | undefined;
  /** Of its daemon, if that answers. */
  readonly status: StatusDocument | undefined;
}

/** The lab as it is now. @throws LabError if there is none */
export async function inspectLab(lab: string): Promise<{ state: LabState; nodes: LabNode[] }> {
  const state = requireLab(lab);
  const daemons = runningDaemons(lab);
  const nodes = state.nodes.map(async (name, i): Promise<LabNode> => {
    const { directory, socket, log } = pathsOf(lab, name);
    return {
      ...{ name, namespace: namespaceOf(lab, name) },
      ...(state.topology && { underlayAddress: underlayAddress(i + 1) }),
      ...{ socket, log, daemonPid: daemons.get(directory)?.pid, status: await queryStatus(socket) },
    };
  });
  return { state, nodes: await Promise.all(nodes) };
}

export function requireLab(lab: string): LabState {
  const state = readState(lab);
  if (state === undefined) throw new NoLabError(lab);
  return state;
}

/** How many of the lab's other nodes `node` has a tunnel to. */
export function tunnelsUp(node: LabNode): number {
  return node.status?.nodes.filter(({ path }) => path !== 'none').length ?? 0;
}
