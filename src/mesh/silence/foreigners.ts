import type { Endpoint } from '../../inet/index.ts';
import { after, millis, seconds, type Millis } from '../../machine/index.ts';
import { sourceKey } from '../standing.ts';

/** To be counted, before they are told of. */
const COUNTING_TIME = seconds(3);
/** Two meshes on one link are nothing unusual. */
const REPEAT_AFTER = seconds(24 * 3600);
const MAX_COUNTED = 256;

/** Senders of datagrams that are not for us. Anybody can be one under any address: they are counted, up to a limit. */
export class Foreigners {
  readonly #senders = new Set<string>();
  #first: Endpoint | undefined;
  #dueAt: Millis | undefined;
  #quietUntil = millis(-Infinity);

  get hasAny(): boolean {
    return this.#senders.size > 0;
  }

  handle(from: Endpoint, now: Millis): void {
    if (now < this.#quietUntil) return;
    if (this.#senders.size < MAX_COUNTED) this.#senders.add(sourceKey(from));
    this.#first ??= from;
    this.#dueAt ??= after(now, COUNTING_TIME);
  }

  /** @returns those that were counted, if it is time to tell of them */
  takeDue(now: Millis): { readonly senders: number; readonly from: Endpoint } | undefined {
    if (this.#dueAt === undefined || this.#dueAt > now || this.#first === undefined) return undefined;
    const told = { senders: this.#senders.size, from: this.#first };
    this.#senders.clear();
    this.#first = undefined;
    this.#dueAt = undefined;
    this.#quietUntil = after(now, REPEAT_AFTER);
    return told;
  }

  nextTimeout(): Millis | undefined {
    return this.#dueAt;
  }
}
