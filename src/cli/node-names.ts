import { nodeLabel, type StatusDocument } from '../api/index.ts';

/** Names a node in a table. */
export type NodeNames = (node: { readonly hostName: string; readonly nodeId: string | undefined }) => string;

/** By its host name where nobody else has that, this node included; else with a part of its node id. */
export function nodeNames({ self, nodes }: Pick<StatusDocument, 'self' | 'nodes'>): NodeNames {
  const counts = new Map<string, number>();
  for (const { hostName } of [self, ...nodes]) counts.set(hostName, (counts.get(hostName) ?? 0) + 1);
  return ({ hostName, nodeId }) =>
    nodeId === undefined || (counts.get(hostName) ?? 0) < 2 ? hostName : nodeLabel({ hostName, nodeId });
}
