/**
 * Under which endpoints this node is seen from elsewhere (its server-reflexive addresses, RFC 8445 §2): what neighbours
 * and bootstrap nodes report, each of them of what they see themselves.
 */
import { endpointsEqual, type Endpoint } from '../inet/index.ts';
import { after, seconds, type Millis } from '../machine/index.ts';
import { isWorthDescribing } from './endpoints.ts';

const MAX_OBSERVERS = 16;
/** A NAT forgets a mapping of UDP within minutes (RFC 4787 §4.3: not below two). */
const LIFETIME = seconds(120);

interface Observation {
  readonly endpoint: Endpoint;
  readonly at: Millis;
}

export class ReflexiveEndpoints {
  readonly #byObserver = new Map<string, Observation>();

  /** A node that sees us without a relay says where we are. What is no address for others is ignored. */
  handleReport(observer: string, endpoint: Endpoint, now: Millis): void {
    if (!isWorthDescribing(endpoint)) return;
    this.#byObserver.delete(observer);
    this.#byObserver.set(observer, { endpoint, at: now });
    if (this.#byObserver.size > MAX_OBSERVERS) this.#byObserver.delete(this.#byObserver.keys().next().value as string);
  }

  /** The endpoints that are still to be believed, the one with the most observers first. */
  list(now: Millis): Endpoint[] {
    const counted: { readonly endpoint: Endpoint; observers: number }[] = [];
    for (const [observer, { endpoint, at }] of this.#byObserver) {
      if (after(at, LIFETIME) <= now) {
        this.#byObserver.delete(observer);
        continue;
      }
      const known = counted.find((entry) => endpointsEqual(entry.endpoint, endpoint));
      if (known === undefined) counted.push({ endpoint, observers: 1 });
      else known.observers++;
    }
    return counted.toSorted((a, b) => b.observers - a.observers).map(({ endpoint }) => endpoint);
  }
}
