import type { Millis } from './time.ts';

/** The timers of one machine, each a named entry. Whoever owns the clock reads `next` and calls `expired`. */
export class TimerTable<Name extends string> {
  /** Missing until a timer is set: of a thousand machines, most may be idle. */
  #at: Map<Name, Millis> | undefined;

  set(name: Name, at: Millis): void {
    this.#at ??= new Map();
    this.#at.set(name, at);
  }

  stop(name: Name): void {
    this.#at?.delete(name);
  }

  stopAll(): void {
    this.#at?.clear();
  }

  isSet(name: Name): boolean {
    return this.#at?.has(name) ?? false;
  }

  /** When the timer is due, if it is set. */
  at(name: Name): Millis | undefined {
    return this.#at?.get(name);
  }

  /** When the earliest timer is due. */
  next(): Millis | undefined {
    if (this.#at === undefined) return undefined;
    let earliest: Millis | undefined;
    for (const at of this.#at.values()) if (earliest === undefined || at < earliest) earliest = at;
    return earliest;
  }

  /** Takes one timer that is due at `now` out of the table, the earliest first. */
  expired(now: Millis): Name | undefined {
    if (this.#at === undefined) return undefined;
    let due: Name | undefined;
    let dueAt = Infinity;
    for (const [name, at] of this.#at) {
      if (at <= now && at < dueAt) {
        due = name;
        dueAt = at;
      }
    }
    if (due !== undefined) this.#at.delete(due);
    return due;
  }
}
