/** What the parts of a node have in common. */
import type { KnownNode } from './known-nodes.ts';
import type { Neighbours } from './neighbours.ts';
import type { NodeOptions } from './node-interface.ts';
import type { Outbox } from './outbox.ts';
import type { OwnDescription } from './own-description.ts';
import type { Roster } from './roster.ts';
import type { Silence } from './silence/index.ts';

export interface NodeContext {
  readonly options: NodeOptions;
  readonly nodeId: string;
  readonly tag: Uint8Array;
  readonly own: OwnDescription;
  readonly outbox: Outbox;
  readonly roster: Roster;
  readonly neighbours: Neighbours;
  readonly silence: Silence;
  readonly nonce: () => bigint;
  /** From 0 to 1. */
  readonly chance: () => number;
}

/** Those that news are passed on to. */
export function neighboursOf({ roster, neighbours }: NodeContext): KnownNode[] {
  return roster.nodes.values().filter((node) => neighbours.isNeighbour(node));
}

export function* drained<Output>(machine: { poll(): Output | undefined }): Generator<Output> {
  for (let output = machine.poll(); output !== undefined; output = machine.poll()) yield output;
}
