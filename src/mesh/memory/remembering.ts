/**
 * What this node knew before it was started, and what it is to know when it is started again: descriptions, where their nodes
 * have answered, and at which bootstrap endpoints somebody did (docs/decisions/0036-what-is-kept-of-others.md).
 */
import { bytesEqual, type Endpoint } from '../../inet/index.ts';
import { after, millis, seconds, TimerTable, type Millis } from '../../machine/index.ts';
import type { KnownNode } from '../known-nodes.ts';
import type { NodeContext } from '../node-context.ts';
import { readMemory, writeMemory, type Memory, type RememberedNode } from './format.ts';

/** After what is new, and between two files. */
const STORE_AFTER = seconds(10);
const MIN_STORE_INTERVAL = seconds(60);
const STORE_INTERVAL = seconds(600);
/** Each costs a verification or two, some 0.5 ms. */
const RESTORED_AT_ONCE = 128;
const RESTORE_INTERVAL = millis(250);
/** Where somebody was: so many are called while nobody is found. */
const MAX_CALLS = 16;

export type RestoredNode = RememberedNode & { readonly description: Uint8Array };

export class Remembering {
  readonly #context: NodeContext;
  readonly #restore: (node: RestoredNode, now: Millis) => void;
  readonly #timers = new TimerTable<'store' | 'restore'>();
  /** By node id, what was known before and is not yet known again. */
  readonly #former = new Map<string, RememberedNode>();
  readonly #called: () => readonly Endpoint[];
  #toRestore: RememberedNode[] = [];
  #formerlyCalled: readonly Endpoint[] = [];
  #stored: Uint8Array | undefined;
  #storedAt = millis(-Infinity);

  constructor(
    context: NodeContext,
    restore: (node: RestoredNode, now: Millis) => void,
    called: () => readonly Endpoint[],
  ) {
    this.#context = context;
    this.#restore = restore;
    this.#called = called;
  }

  /** @returns where somebody may be found while nobody else is */
  start(now: Millis): readonly Endpoint[] {
    const { options, roster } = this.#context;
    this.#timers.set('store', after(now, STORE_INTERVAL));
    const memory = options.memory && readMemory(options.memory, options.primitives);
    if (memory?.meshName !== options.meshName) return [];
    this.#stored = options.memory;
    this.#formerlyCalled = memory.called;
    for (const node of memory.nodes) {
      this.#former.set(node.nodeId, node);
      roster.newest.limit(node.nodeId, node.sequence);
    }
    this.#toRestore = [...memory.nodes];
    this.#restoreSome(now);
    return [...memory.called, ...memory.nodes.flatMap(({ endpoints }) => endpoints.slice(0, 1))].slice(0, MAX_CALLS);
  }

  /** Somebody has answered where nobody had. */
  handleNews(now: Millis): void {
    const at = millis(Math.max(after(now, STORE_AFTER), after(this.#storedAt, MIN_STORE_INTERVAL)));
    if (at < (this.#timers.at('store') ?? Infinity)) this.#timers.set('store', at);
  }

  handleTimeout(now: Millis): void {
    for (let timer = this.#timers.expired(now); timer !== undefined; timer = this.#timers.expired(now)) {
      if (timer === 'store') this.store(now);
      else this.#restoreSome(now);
    }
  }

  nextTimeout(): Millis | undefined {
    return this.#timers.next();
  }

  store(now: Millis): void {
    this.#timers.set('store', after(now, STORE_INTERVAL));
    const memory = this.#memory();
    if (memory.nodes.length === 0 && this.#stored === undefined) return;
    const bytes = writeMemory(memory, this.#context.options.primitives);
    if (this.#stored !== undefined && bytesEqual(bytes, this.#stored)) return;
    this.#stored = bytes;
    this.#storedAt = now;
    this.#context.outbox.storeMemory(bytes);
  }

  /** Those whose paths stand first, then those that somebody vouches for, then those of earlier lives. */
  #memory(): Memory {
    const { roster, options } = this.#context;
    const known = roster.nodes.values().filter(({ standing }) => standing.kind !== 'claimed');
    known.sort((a, b) => rankOf(a) - rankOf(b));
    const nodes = known.map((node) => this.#remembered(node));
    const ids = new Set(nodes.map(({ nodeId }) => nodeId));
    const former = [...this.#former.values()].filter(({ nodeId }) => !ids.has(nodeId));
    const called = [...this.#called()];
    return {
      meshName: options.meshName,
      nodes: [...nodes, ...former],
      called: called.length > 0 ? called : this.#formerlyCalled,
    };
  }

  #remembered({ description, tunnel }: KnownNode): RememberedNode {
    const { nodeId, sequence, bytes } = description;
    const heard = tunnel.candidates.heard;
    const endpoints = heard.length > 0 ? heard : (this.#former.get(nodeId)?.endpoints ?? []);
    return { nodeId, sequence, description: bytes, endpoints };
  }

  #restoreSome(now: Millis): void {
    for (const node of this.#toRestore.splice(0, RESTORED_AT_ONCE)) {
      const { description } = node;
      if (description !== undefined) this.#restore({ ...node, description }, now);
    }
    if (this.#toRestore.length > 0) this.#timers.set('restore', after(now, RESTORE_INTERVAL));
  }
}

function rankOf({ tunnel, standing }: KnownNode): number {
  if (tunnel.isUp) return 0;
  return standing.kind === 'proved' ? 1 : 2;
}
