/** Which nodes share a link, and the shortest ways between the others. Pure; nodes are numbered from 1. */
export const TOPOLOGIES = ['line', 'ring', 'star', 'full'] as const;
export type Topology = (typeof TOPOLOGIES)[number];

/** A link between two nodes, the lower number first. */
export type Link = readonly [a: number, b: number];

export function nodeNumbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

/** The links of `count` nodes, each once. Node 1 is the centre of a star. */
export function linksOf(topology: Topology, count: number): Link[] {
  const others = nodeNumbers(count).slice(1);
  const line = others.map((node): Link => [node - 1, node]);
  switch (topology) {
    case 'line':
      return line;
    case 'ring':
      // Two nodes in a ring would be linked twice.
      return count > 2 ? [...line, [1, count]] : line;
    case 'star':
      return others.map((node): Link => [1, node]);
    case 'full':
      return others.flatMap((node) => nodeNumbers(node - 1).map((lower): Link => [lower, node]));
  }
}

/** The nodes that share a link with `node`, in ascending order. */
export function neighboursOf(node: number, links: readonly Link[]): number[] {
  return links.flatMap(([a, b]) => (a === node ? [b] : b === node ? [a] : [])).sort((a, b) => a - b);
}

/** For every node that `from` can reach: the neighbour that is first on a shortest way there. */
export function nextHopsFrom(from: number, links: readonly Link[]): Map<number, number> {
  const neighbours = new Map<number, number[]>();
  for (const [a, b] of links) {
    neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
    neighbours.set(b, [...(neighbours.get(b) ?? []), a]);
  }
  const nextHops = new Map(neighboursOf(from, links).map((node) => [node, node]));
  // A Map hands out what is added during the walk, in order of addition: a breadth-first search.
  for (const [reached, nextHop] of nextHops) {
    for (const node of neighbours.get(reached) ?? []) {
      if (node !== from && !nextHops.has(node)) nextHops.set(node, nextHop);
    }
  }
  return nextHops;
}
