/**
 * One network that others offer, and which of them is used: who can be reached comes first, then who is preferred, then
 * who is nearer. Somebody better than the one in use has to stay so for a while, lest two gateways take turns.
 */
import type { Prefix } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';

/** So long a gateway must have been reachable without a break before it takes over from one that works. */
export const STABLE_AFTER = seconds(5);
/** So long a gateway must have been clearly nearer. */
export const NEARER_AFTER = seconds(10);
/** What is clearly nearer: by a fifth, and by more than a link's cost trembles (RFC 9616 adds up to 150 for delay). */
const NEARER_BY_PART = 0.2;
const NEARER_BY = 16;

/** How a node can be reached. */
export interface KnownPath {
  /** Of the route to it; less is nearer. */
  readonly metric: number;
  /** Since when, without a break. */
  readonly since: Millis;
}

interface Offer {
  preference: number;
  /** Since when it has been clearly nearer than the one in use, which has the same preference. */
  nearerSince: Millis | undefined;
}

/** An offer as others may see it. */
export interface OfferView {
  readonly nodeId: string;
  readonly preference: number;
  readonly path: KnownPath | undefined;
  readonly isInUse: boolean;
}

/** By node id. */
export type KnownPaths = ReadonlyMap<string, KnownPath>;

export class Destination {
  readonly prefix: Prefix;
  readonly #paths: KnownPaths;
  readonly #offers = new Map<string, Offer>();
  #inUse: string | undefined;
  #hasBeenUsed = false;
  #isCut = false;
  #dueAt: Millis | undefined;

  constructor(prefix: Prefix, paths: KnownPaths) {
    this.prefix = prefix;
    this.#paths = paths;
  }

  /** The node id of the gateway. It stays in use while nobody else can be reached. */
  get inUse(): string | undefined {
    return this.#inUse;
  }

  get nodeIds(): string[] {
    return [...this.#offers.keys()];
  }

  /** Whether there has been a gateway that could be reached. */
  get hasBeenUsed(): boolean {
    return this.#hasBeenUsed;
  }

  /** When `review` is wanted next. */
  get dueAt(): Millis | undefined {
    return this.#dueAt;
  }

  preferenceOf(nodeId: string): number | undefined {
    return this.#offers.get(nodeId)?.preference;
  }

  offer(nodeId: string, preference: number): void {
    const known = this.#offers.get(nodeId);
    if (known === undefined) this.#offers.set(nodeId, { preference, nearerSince: undefined });
    else known.preference = preference;
  }

  withdraw(nodeId: string): void {
    this.#offers.delete(nodeId);
    if (this.#inUse === nodeId) this.#inUse = undefined;
  }

  /**
   * Whose end, or whose way to us, matters: with a second gateway there is something to fail over to. So are those who
   * are about to take over: their sessions are to be there by then.
   */
  watched(): string[] {
    if (this.#inUse === undefined || this.#offers.size < 2) return [];
    const inUse = this.#inUse;
    return [...this.#offers.keys()].filter((nodeId) => nodeId === inUse || this.#takeoverAt(nodeId) !== undefined);
  }

  /** Chooses anew. @returns what has changed: another gateway is `chosen`, or the one in use is `cut` and there is no other */
  review(now: Millis): 'chosen' | 'cut' | undefined {
    const before = this.#inUse;
    const wasCut = this.#isCut;
    this.#compare(now);
    const isAble = (nodeId: string) => {
      const works = before !== undefined && this.#paths.has(before);
      return works ? (this.#takeoverAt(nodeId) ?? Infinity) <= now : this.#paths.has(nodeId);
    };
    const [best = before] = this.nodeIds.filter(isAble).sort((a, b) => this.#order(a, b));
    if (best !== before) this.#use(best as string, now);
    this.#isCut = this.#inUse !== undefined && !this.#paths.has(this.#inUse);
    const next = Math.min(...this.nodeIds.map((nodeId) => this.#takeoverAt(nodeId) ?? Infinity));
    this.#dueAt = next === Infinity ? undefined : millis(next);
    if (best !== before) return 'chosen';
    return this.#isCut && !wasCut ? 'cut' : undefined;
  }

  views(): OfferView[] {
    return this.nodeIds
      .sort((a, b) => this.#order(a, b))
      .map((nodeId) => ({
        nodeId,
        preference: this.#preference(nodeId),
        path: this.#paths.get(nodeId),
        isInUse: nodeId === this.#inUse,
      }));
  }

  #use(nodeId: string, now: Millis): void {
    this.#inUse = nodeId;
    this.#hasBeenUsed = true;
    for (const offer of this.#offers.values()) offer.nearerSince = undefined;
    this.#compare(now);
  }

  /** Notes who is clearly nearer than the one in use, and since when. */
  #compare(now: Millis): void {
    const inUse = this.#inUse === undefined ? undefined : this.#paths.get(this.#inUse);
    for (const [nodeId, offer] of this.#offers) {
      const path = this.#paths.get(nodeId);
      const isNearer = path !== undefined && inUse !== undefined && isClearlyNearer(path.metric, inUse.metric);
      offer.nearerSince = isNearer ? (offer.nearerSince ?? now) : undefined;
    }
  }

  /** When the node may take over from one in use that works, if things stay as they are. */
  #takeoverAt(nodeId: string): Millis | undefined {
    const { preference, nearerSince } = this.#offers.get(nodeId) as Offer;
    const path = this.#paths.get(nodeId);
    if (path === undefined || this.#inUse === undefined || nodeId === this.#inUse) return undefined;
    const stableAt = after(path.since, STABLE_AFTER);
    const present = this.#preference(this.#inUse);
    if (preference > present) return stableAt;
    if (preference < present || nearerSince === undefined) return undefined;
    return millis(Math.max(stableAt, after(nearerSince, NEARER_AFTER)));
  }

  /** Negative if `a` is the better one. */
  #order(a: string, b: string): number {
    const [pathOfA, pathOfB] = [this.#paths.get(a), this.#paths.get(b)];
    if ((pathOfA === undefined) !== (pathOfB === undefined)) return pathOfA === undefined ? 1 : -1;
    const byPreference = this.#preference(b) - this.#preference(a);
    if (byPreference !== 0) return byPreference;
    const byMetric = (pathOfA?.metric ?? 0) - (pathOfB?.metric ?? 0);
    if (byMetric !== 0) return byMetric;
    return a < b ? -1 : 1;
  }

  #preference(nodeId: string): number {
    return (this.#offers.get(nodeId) as Offer).preference;
  }
}

function isClearlyNearer(metric: number, present: number): boolean {
  return metric + Math.max(NEARER_BY, present * NEARER_BY_PART) <= present;
}
