import type { Millis } from '../machine/index.ts';

interface Entry<T> {
  readonly owner: T;
  at: Millis;
  position: number;
}

/** The next deadline of each of many owners, the earliest at the top: a binary heap that knows its places. */
export class DeadlineQueue<T> {
  readonly #heap: Entry<T>[] = [];
  readonly #entries = new Map<T, Entry<T>>();

  /** Sets, moves or (`undefined`) takes away the deadline of `owner`. */
  set(owner: T, at: Millis | undefined): void {
    const entry = this.#entries.get(owner);
    if (at === undefined) {
      if (entry !== undefined) this.#remove(entry);
    } else if (entry === undefined) {
      const added = { owner, at, position: this.#heap.length };
      this.#heap.push(added);
      this.#entries.set(owner, added);
      this.#rise(added);
    } else if (entry.at !== at) {
      entry.at = at;
      this.#rise(entry);
      this.#sink(entry);
    }
  }

  next(): Millis | undefined {
    return this.#heap.at(0)?.at;
  }

  /** Takes out one owner whose deadline has come, the earliest first. */
  takeDue(now: Millis): T | undefined {
    const entry = this.#heap.at(0);
    if (entry === undefined || entry.at > now) return undefined;
    this.#remove(entry);
    return entry.owner;
  }

  #remove(entry: Entry<T>): void {
    this.#entries.delete(entry.owner);
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#place(last, entry.position);
    this.#rise(last);
    this.#sink(last);
  }

  #place(entry: Entry<T>, position: number): void {
    entry.position = position;
    this.#heap[position] = entry;
  }

  #rise(entry: Entry<T>): void {
    while (entry.position > 0) {
      const { position } = entry;
      const parent = this.#heap[(position - 1) >> 1];
      if (parent.at <= entry.at) return;
      this.#place(entry, parent.position);
      this.#place(parent, position);
    }
  }

  #sink(entry: Entry<T>): void {
    for (;;) {
      const { position } = entry;
      const left = this.#heap.at(2 * position + 1);
      if (left === undefined) return;
      const right = this.#heap.at(2 * position + 2);
      const child = right !== undefined && right.at < left.at ? right : left;
      if (entry.at <= child.at) return;
      this.#place(entry, child.position);
      this.#place(child, position);
    }
  }
}
