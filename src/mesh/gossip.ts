/**
 * What is news: of each node the newest sequence number that was accepted or refused, and summaries of it for
 * neighbours to compare with.
 */
import { MAX_SUMMARY_ENTRIES, type News } from './messages.ts';

const MAX_REFUSED = 1024;
const MAX_LIMITS = 16_384;

export class Newest {
  readonly #sequenceByNodeId = new Map<string, number>();
  /** Of nodes that are not trusted, the oldest first. */
  readonly #refusedByNodeId = new Map<string, number>();
  /** Of nodes that were known once, the oldest first: nothing older is believed of them any more. */
  readonly #limitByNodeId = new Map<string, number>();
  /** Node ids that others are not to hear of from us. */
  readonly #held = new Set<string>();
  /** Counts the changes of what others are to hear of: the same number, the same list. */
  #version = 0;

  get version(): number {
    return this.#version;
  }

  isNews({ nodeId, sequence }: News): boolean {
    if (sequence < this.leastOf(nodeId)) return false;
    return sequence > Math.max(this.sequenceOf(nodeId), this.#refusedByNodeId.get(nodeId) ?? 0);
  }

  /** The node was known with this sequence number: what is older has been superseded. */
  limit(nodeId: string, sequence: number): void {
    this.#limitByNodeId.delete(nodeId);
    this.#limitByNodeId.set(nodeId, sequence);
    if (this.#limitByNodeId.size > MAX_LIMITS) {
      this.#limitByNodeId.delete(this.#limitByNodeId.keys().next().value as string);
    }
  }

  /** What a description of the node must at least have, known or not; 0 if nothing was ever heard of it. */
  leastOf(nodeId: string): number {
    return Math.max(this.sequenceOf(nodeId), this.#limitByNodeId.get(nodeId) ?? 0);
  }

  /** 0 if the node is not known. */
  sequenceOf(nodeId: string): number {
    return this.#sequenceByNodeId.get(nodeId) ?? 0;
  }

  accept({ nodeId, sequence }: News): void {
    this.#version += 1;
    this.#sequenceByNodeId.set(nodeId, sequence);
    this.#refusedByNodeId.delete(nodeId);
  }

  /** @returns whether the node is refused for the first time */
  refuse({ nodeId, sequence }: News): boolean {
    const first = !this.#refusedByNodeId.has(nodeId);
    this.#refusedByNodeId.set(nodeId, sequence);
    if (this.#refusedByNodeId.size > MAX_REFUSED) {
      this.#refusedByNodeId.delete(this.#refusedByNodeId.keys().next().value as string);
    }
    return first;
  }

  forget(nodeId: string): void {
    this.#version += 1;
    // Of those that only claimed to be there, anybody could make up as many as there is room for.
    if (!this.#held.has(nodeId)) this.limit(nodeId, this.sequenceOf(nodeId));
    this.#sequenceByNodeId.delete(nodeId);
    this.#held.delete(nodeId);
  }

  hold(nodeId: string): void {
    this.#version += 1;
    this.#held.add(nodeId);
  }

  share(nodeId: string): void {
    if (this.#held.delete(nodeId)) this.#version += 1;
  }

  /** All that was accepted and is not held, in one text: two nodes that know the same have the same. */
  list(): string {
    return this.#shared()
      .map(({ nodeId, sequence }) => `${nodeId} ${sequence}`)
      .sort()
      .join();
  }

  /** The same, in pages that fit into a message. */
  summaries(): News[][] {
    const entries = this.#shared();
    const pages: News[][] = [];
    for (let i = 0; i < entries.length; i += MAX_SUMMARY_ENTRIES) pages.push(entries.slice(i, i + MAX_SUMMARY_ENTRIES));
    return pages;
  }

  #shared(): News[] {
    const entries = Array.from(this.#sequenceByNodeId, ([nodeId, sequence]) => ({ nodeId, sequence }));
    return entries.filter(({ nodeId }) => !this.#held.has(nodeId));
  }
}
