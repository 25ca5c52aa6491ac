/** What we have asked to be acknowledged (RFC 8966 §3.3). */
import { after, type Millis } from '../machine/index.ts';
import type { PendingUpdate } from './channel.ts';
import type { Neighbour } from './neighbours.ts';
import { Sweep } from './sweep.ts';

export interface Awaited {
  /** Who has not acknowledged yet. */
  readonly waiting: Set<Neighbour>;
  /** What was sent, by prefix, with the copies that are left. */
  readonly updates: ReadonlyMap<string, PendingUpdate>;
  readonly dueAt: Millis;
}

export class AcknowledgmentTable {
  readonly #max: number;
  readonly #awaitedByOpaque = new Map<number, Awaited>();
  readonly #sweep = new Sweep();
  #opaque: number;

  constructor(max: number, firstOpaque: number) {
    this.#max = max;
    this.#opaque = firstOpaque;
  }

  get isEmpty(): boolean {
    return this.#awaitedByOpaque.size === 0;
  }

  get isFull(): boolean {
    return this.#awaitedByOpaque.size >= this.#max;
  }

  has(key: string): boolean {
    for (const { updates } of this.#awaitedByOpaque.values()) if (updates.has(key)) return true;
    return false;
  }

  /** @returns the value to be echoed */
  expect(waiting: readonly Neighbour[], updates: ReadonlyMap<string, PendingUpdate>, now: Millis): number {
    do this.#opaque = (this.#opaque + 1) & 0xffff;
    while (this.#awaitedByOpaque.has(this.#opaque));
    const dueAt = after(now, waiting[0].link.timing.acknowledgmentTimeout);
    this.#awaitedByOpaque.set(this.#opaque, { waiting: new Set(waiting), updates, dueAt });
    this.#sweep.add(dueAt);
    return this.#opaque;
  }

  /** @returns the prefixes that nobody is left to acknowledge */
  handle(neighbour: Neighbour, opaque: number): string[] {
    const awaited = this.#awaitedByOpaque.get(opaque);
    if (awaited === undefined || !awaited.waiting.delete(neighbour) || awaited.waiting.size > 0) return [];
    this.#awaitedByOpaque.delete(opaque);
    return [...awaited.updates.keys()];
  }

  clear(): void {
    this.#awaitedByOpaque.clear();
  }

  forget(neighbour: Neighbour): void {
    for (const [opaque, { waiting }] of this.#awaitedByOpaque) {
      if (waiting.delete(neighbour) && waiting.size === 0) this.#awaitedByOpaque.delete(opaque);
    }
  }

  /** Takes out what was not acknowledged in time. */
  handleTimeout(now: Millis): Awaited[] {
    const late: Awaited[] = [];
    if (!this.#sweep.take(now)) return late;
    for (const [opaque, awaited] of this.#awaitedByOpaque) {
      if (awaited.dueAt > now) this.#sweep.add(awaited.dueAt);
      else {
        this.#awaitedByOpaque.delete(opaque);
        late.push(awaited);
      }
    }
    return late;
  }

  nextTimeout(): Millis | undefined {
    return this.#sweep.next;
  }
}
