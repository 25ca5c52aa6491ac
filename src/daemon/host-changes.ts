import type { HostDocument } from '../api/index.ts';

/** Enough to see what somebody is doing; the log has them all. */
const MAX_KEPT = 20;

/** What others did on this host to what the mesh has put up there, for the status. */
export class HostChanges {
  interfaceUp = true;
  readonly #changes: { readonly atUnixMs: number; readonly words: string }[] = [];

  add(words: string, atUnixMs: number): void {
    this.#changes.push({ atUnixMs, words });
    if (this.#changes.length > MAX_KEPT) this.#changes.shift();
  }

  document(): HostDocument {
    return { interfaceUp: this.interfaceUp, changes: [...this.#changes] };
  }
}
