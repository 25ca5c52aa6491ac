import type { Impairments } from '../scenario/scenario.ts';

/** What the thread is started with. An end's index is its name in messages, as a link's is. */
export interface EmulatorPlan {
  readonly seed: number;
  readonly links: readonly Impairments[];
  readonly ends: readonly { readonly namespacePath: string; readonly interface: string; readonly link: number }[];
  /** An eventfd that is signalled when a message waits. */
  readonly wakeFd: number;
}

export type EmulatorRequest =
  | { readonly kind: 'cut'; readonly link: number; readonly how: 'silent' | 'carrier' }
  | { readonly kind: 'heal'; readonly link: number }
  /** Takes one end from its link, until it is moved to another. */
  | { readonly kind: 'unplug'; readonly end: number }
  | { readonly kind: 'move'; readonly end: number; readonly link: number }
  | { readonly kind: 'stop' };

/** `ready` once, when the interfaces exist; then one `done` a request. */
export type EmulatorAnswer =
  { readonly kind: 'ready' | 'done' } | { readonly kind: 'failed'; readonly message: string };
