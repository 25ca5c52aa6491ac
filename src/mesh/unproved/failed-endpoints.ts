/**
 * Endpoints at which a node seemed to answer and then had no session: somebody lies, or the node does not want us. Whoever names
 * one again, it is left alone for a while, and for longer each time. Bounded; the oldest goes.
 */
import { formatEndpoint, type Endpoint } from '../../inet/index.ts';
import { after, millis, seconds, type Millis } from '../../machine/index.ts';

const FIRST_BACK_OFF = seconds(15);
const MAX_BACK_OFF = seconds(600);
/** For so long after the end of a back-off the next one is longer. */
const MEMORY = seconds(600);
const MAX_ENDPOINTS = 32;

export class FailedEndpoints {
  /** The one that failed longest ago first. */
  readonly #entries = new Map<string, { readonly backOff: Millis; readonly until: Millis }>();

  add(endpoint: Endpoint, now: Millis): void {
    const key = formatEndpoint(endpoint);
    const before = this.#entries.get(key);
    const isRemembered = before !== undefined && after(before.until, MEMORY) > now;
    const backOff = isRemembered ? millis(Math.min(MAX_BACK_OFF, before.backOff * 2)) : FIRST_BACK_OFF;
    this.#entries.delete(key);
    this.#entries.set(key, { backOff, until: after(now, backOff) });
    if (this.#entries.size > MAX_ENDPOINTS) this.#entries.delete(this.#entries.keys().next().value as string);
  }

  isLeftAlone(endpoint: Endpoint, now: Millis): boolean {
    const entry = this.#entries.get(formatEndpoint(endpoint));
    return entry !== undefined && entry.until > now;
  }

  /** The node has a session there after all. */
  forgive(endpoint: Endpoint): void {
    this.#entries.delete(formatEndpoint(endpoint));
  }

  clear(): void {
    this.#entries.clear();
  }
}
