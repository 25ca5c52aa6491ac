/**
 * Which nodes to have for neighbours: a few, and so that the mesh does not fall apart. Among those that are heard on one
 * link, and among those that the routed network may lead to, each node takes its successor and predecessor in the circle
 * of node ids: that alone connects them, if all do it. A few more, chosen by chance but by both alike, make the ways short.
 */
import type { Wish } from './messages.ts';

/** How many a node looks for. */
export const SOUGHT_NEIGHBOURS = 6;
/** Above the sought ones, those are kept that are there already. */
const MOST_WANTED = 8;
/** Nodes that were never heard, tried at the same time. */
const MAX_EXPLORED = 2;

export interface Eligible {
  readonly nodeId: string;
  /** A random order that both nodes have in common. */
  readonly order: string;
  /** The links on which the node answers or was heard lately; 0 stands for what is routed. */
  readonly heardOn: readonly number[];
  readonly wasWanted: boolean;
}

/** @returns the wanted ones */
export function chooseNeighbours(ownNodeId: string, eligible: readonly Eligible[]): Map<string, Wish> {
  const wanted = new Map<string, Wish>();
  const heard = eligible.filter(({ heardOn }) => heardOn.length > 0);
  for (const link of new Set(heard.flatMap(({ heardOn }) => heardOn))) {
    const there = heard.filter(({ heardOn }) => heardOn.includes(link)).map(({ nodeId }) => nodeId);
    for (const nodeId of besideInCircle(ownNodeId, there)) wanted.set(nodeId, 'needs');
  }
  const byChance = heard.toSorted((a, b) => (a.order < b.order ? -1 : 1));
  for (const { nodeId, wasWanted } of byChance) {
    if (!wanted.has(nodeId) && wanted.size < (wasWanted ? MOST_WANTED : SOUGHT_NEIGHBOURS)) wanted.set(nodeId, 'likes');
  }
  for (const nodeId of explored(ownNodeId, eligible, wanted.size)) wanted.set(nodeId, 'likes');
  return wanted;
}

function explored(ownNodeId: string, eligible: readonly Eligible[], wantedCount: number): string[] {
  const others = eligible.filter(({ heardOn }) => heardOn.length === 0);
  // In the circle of all that may be reached, so that two links with routes between them become one mesh.
  const there = eligible.filter(({ heardOn }) => heardOn.length === 0 || heardOn.includes(0));
  const beside = besideInCircle(
    ownNodeId,
    there.map(({ nodeId }) => nodeId),
  );
  const first = others.filter(({ nodeId }) => beside.includes(nodeId)).map(({ nodeId }) => nodeId);
  if (wantedCount >= SOUGHT_NEIGHBOURS) return first;
  const more = others.toSorted((a, b) => (a.order < b.order ? -1 : 1)).map(({ nodeId }) => nodeId);
  return [...new Set([...first, ...more])].slice(0, MAX_EXPLORED);
}

/** The predecessor and the successor of `own`. */
function besideInCircle(own: string, nodeIds: readonly string[]): string[] {
  if (nodeIds.length === 0) return [];
  const sorted = nodeIds.toSorted();
  const next = sorted.findIndex((nodeId) => nodeId > own);
  const successor = next < 0 ? 0 : next;
  return [sorted[successor], sorted.at(successor - 1) as string];
}
