/**
 * Over which neighbours nothing has arrived at which nodes lately, whatever Babel says. Bounded; the oldest entry goes.
 * Trust comes back by itself, later each time.
 */
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { KnownNode } from './known-nodes.ts';

const FIRST_BACK_OFF = seconds(20);
const GROWTH = 4;
const MAX_BACK_OFF = seconds(1200);
/** For so long after the end of a back-off the next one grows. */
const MEMORY = seconds(3600);
const MAX_ENTRIES = 4096;

interface Entry {
  readonly via: KnownNode;
  readonly destination: KnownNode;
  readonly backOff: Millis;
  readonly until: Millis;
  /** Until the caller has been told that the time is up. */
  isInForce: boolean;
}

export class Distrust {
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** Never late. */
  #sweepAt = millis(Infinity);

  isDistrusted(via: KnownNode, destination: KnownNode): boolean {
    return this.#entries.get(keyOf(via, destination))?.isInForce === true;
  }

  add(via: KnownNode, destination: KnownNode, now: Millis): void {
    const key = keyOf(via, destination);
    const before = this.#entries.get(key);
    const isRemembered = before !== undefined && after(before.until, MEMORY) > now;
    const backOff = isRemembered ? millis(Math.min(MAX_BACK_OFF, before.backOff * GROWTH)) : FIRST_BACK_OFF;
    this.#entries.delete(key);
    const until = after(now, backOff);
    this.#entries.set(key, { via, destination, backOff, until, isInForce: true });
    this.#sweepAt = millis(Math.min(this.#sweepAt, until));
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#entries.keys().next().value as string);
  }

  /** Something has come back on that way after all. @returns whether there was distrust */
  lift(via: KnownNode, destination: KnownNode): boolean {
    const key = keyOf(via, destination);
    const wasInForce = this.isDistrusted(via, destination);
    this.#entries.delete(key);
    return wasInForce;
  }

  forget(node: KnownNode): void {
    for (const [key, { via, destination }] of this.#entries) {
      if (via === node || destination === node) this.#entries.delete(key);
    }
  }

  /** @returns the nodes some of whose ways may be tried again */
  handleTimeout(now: Millis): KnownNode[] {
    const again: KnownNode[] = [];
    if (this.#sweepAt > now) return again;
    this.#sweepAt = millis(Infinity);
    for (const entry of this.#entries.values()) {
      if (!entry.isInForce) continue;
      if (entry.until > now) this.#sweepAt = millis(Math.min(this.#sweepAt, entry.until));
      else {
        entry.isInForce = false;
        again.push(entry.destination);
      }
    }
    return again;
  }

  nextTimeout(): Millis {
    return this.#sweepAt;
  }
}

function keyOf(via: KnownNode, destination: KnownNode): string {
  return `${via.description.nodeId} ${destination.description.nodeId}`;
}
