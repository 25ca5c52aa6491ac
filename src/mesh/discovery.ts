/** When to say Hello to nobody in particular: beacons on the links, and calls to the bootstrap endpoints. */
import { formatEndpoint, type Endpoint } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';

/** On a new link, when beacons go out after the first: quickly, since nobody there may know us yet. */
const QUICK_BEACONS = 3;
const QUICK_BEACON_INTERVAL = seconds(1);
const BEACON_INTERVAL = seconds(10);
const QUICK_JITTER = millis(100);
const JITTER = seconds(1);
const FIRST_BACK_OFF = seconds(1);
/** So that who starts late is called within a quarter of the time that it was waited for. */
const BACK_OFF_GROWTH = 1.25;
/** Also how often an endpoint is called behind which a live node is: somebody else may be there one day. */
const MAX_BACK_OFF = seconds(60);

/** By then an endpoint has been called five times. */
const SILENT_AFTER = seconds(8);

/** `silent`: nobody has answered there so far; `self`: this node itself does. */
export type BootstrapState = 'called' | 'answers' | 'silent' | 'self';

export type DiscoveryOutput =
  | { readonly kind: 'beacon'; readonly link: number }
  | { readonly kind: 'hello'; readonly to: Endpoint }
  /** What an administrator should read of a bootstrap endpoint: that it is silent or this node, or is so no more. */
  | { readonly kind: 'bootstrap'; readonly endpoint: Endpoint; readonly state: BootstrapState };

interface Link {
  sent: number;
  dueAt: Millis;
}

interface Bootstrap {
  readonly endpoint: Endpoint;
  /** Nobody has told us to call there, but somebody was there once: it is called only while there is no tunnel at all. */
  readonly isFormer: boolean;
  /** Who answered last. */
  nodeId: string | undefined;
  state: BootstrapState;
  readonly silentAt: Millis;
  backOff: Millis;
  dueAt: Millis;
}

export class Discovery {
  readonly #isLive: (nodeId: string) => boolean;
  readonly #isAlone: () => boolean;
  readonly #chance: () => number;
  readonly #links = new Map<number, Link>();
  readonly #bootstrapsByEndpoint = new Map<string, Bootstrap>();
  readonly #output: DiscoveryOutput[] = [];

  /** `chance` gives numbers from 0 to 1. */
  constructor(isLive: (nodeId: string) => boolean, isAlone: () => boolean, chance: () => number) {
    this.#isLive = isLive;
    this.#isAlone = isAlone;
    this.#chance = chance;
  }

  handleLinks(indices: readonly number[], now: Millis): void {
    for (const index of this.#links.keys()) if (!indices.includes(index)) this.#links.delete(index);
    for (const index of indices) if (!this.#links.has(index)) this.#links.set(index, { sent: 0, dueAt: now });
    this.handleTimeout(now);
  }

  handleBootstrap(endpoints: readonly Endpoint[], now: Millis): void {
    const keys = new Set(endpoints.map(formatEndpoint));
    for (const [key, { isFormer }] of this.#bootstrapsByEndpoint) {
      if (!isFormer && !keys.has(key)) this.#bootstrapsByEndpoint.delete(key);
    }
    for (const endpoint of endpoints) this.#add(endpoint, false, now);
    this.handleTimeout(now);
  }

  /** Somebody was there before this node was started. */
  handleFormer(endpoints: readonly Endpoint[], now: Millis): void {
    for (const endpoint of endpoints) this.#add(endpoint, true, now);
    this.handleTimeout(now);
  }

  isBootstrap(endpoint: Endpoint): boolean {
    return this.#bootstrapsByEndpoint.get(formatEndpoint(endpoint))?.isFormer === false;
  }

  isFormer(endpoint: Endpoint): boolean {
    return this.#bootstrapsByEndpoint.get(formatEndpoint(endpoint))?.isFormer === true;
  }

  isCalled(endpoint: Endpoint): boolean {
    return this.#bootstrapsByEndpoint.has(formatEndpoint(endpoint));
  }

  /** The bootstrap endpoints that somebody answered at. */
  get answered(): Endpoint[] {
    const called = [...this.#bootstrapsByEndpoint.values()];
    return called.flatMap(({ endpoint, nodeId, isFormer }) => (nodeId === undefined || isFormer ? [] : [endpoint]));
  }

  /** `nodeId` answered from `endpoint`. */
  handleAnswer(endpoint: Endpoint, nodeId: string, isSelf: boolean): void {
    const bootstrap = this.#bootstrapsByEndpoint.get(formatEndpoint(endpoint));
    if (bootstrap === undefined) return;
    bootstrap.nodeId = nodeId;
    const { state } = bootstrap;
    bootstrap.state = isSelf ? 'self' : 'answers';
    const isNews = state !== bootstrap.state && (isSelf || state !== 'called');
    if (isNews) this.#tell(bootstrap);
  }

  /** Of those that the configuration names. */
  get bootstraps(): { readonly endpoint: Endpoint; readonly state: BootstrapState }[] {
    const named = [...this.#bootstrapsByEndpoint.values()].filter(({ isFormer }) => !isFormer);
    return named.map(({ endpoint, state }) => ({ endpoint, state }));
  }

  handleLost(nodeId: string, now: Millis): void {
    for (const bootstrap of this.#bootstrapsByEndpoint.values()) {
      if (bootstrap.nodeId !== nodeId) continue;
      bootstrap.backOff = FIRST_BACK_OFF;
      bootstrap.dueAt = now;
    }
    this.handleTimeout(now);
  }

  /** We have become somebody new: tell everybody soon. */
  hurry(now: Millis): void {
    for (const link of this.#links.values()) link.dueAt = now;
    for (const bootstrap of this.#bootstrapsByEndpoint.values()) bootstrap.dueAt = now;
    this.handleTimeout(now);
  }

  handleTimeout(now: Millis): void {
    for (const [index, link] of this.#links) if (link.dueAt <= now) this.#beacon(index, link, now);
    for (const bootstrap of this.#bootstrapsByEndpoint.values()) {
      if (bootstrap.dueAt <= now) this.#call(bootstrap, now);
      if (bootstrap.state !== 'called' || bootstrap.silentAt > now) continue;
      bootstrap.state = 'silent';
      this.#tell(bootstrap);
    }
  }

  poll(): DiscoveryOutput | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis | undefined {
    let next = Infinity;
    for (const { dueAt } of this.#links.values()) next = Math.min(next, dueAt);
    for (const { dueAt, silentAt, state } of this.#bootstrapsByEndpoint.values()) {
      next = Math.min(next, dueAt, state === 'called' ? silentAt : Infinity);
    }
    return next === Infinity ? undefined : millis(next);
  }

  #beacon(index: number, link: Link, now: Millis): void {
    link.sent += 1;
    link.dueAt =
      link.sent < QUICK_BEACONS
        ? after(now, millis(QUICK_BEACON_INTERVAL + this.#chance() * QUICK_JITTER))
        : after(now, millis(BEACON_INTERVAL + (this.#chance() - 0.5) * JITTER));
    this.#output.push({ kind: 'beacon', link: index });
  }

  #add(endpoint: Endpoint, isFormer: boolean, now: Millis): void {
    const key = formatEndpoint(endpoint);
    const known = this.#bootstrapsByEndpoint.get(key);
    if (known !== undefined && (isFormer || !known.isFormer)) return;
    const answered = known?.state === 'answers' || known?.state === 'self' ? known.state : 'called';
    const schedule = { nodeId: known?.nodeId, state: answered, backOff: FIRST_BACK_OFF, dueAt: now } as const;
    this.#bootstrapsByEndpoint.set(key, { endpoint, isFormer, silentAt: after(now, SILENT_AFTER), ...schedule });
  }

  #tell({ endpoint, state, isFormer }: Bootstrap): void {
    if (!isFormer) this.#output.push({ kind: 'bootstrap', endpoint, state });
  }

  #call(bootstrap: Bootstrap, now: Millis): void {
    const { nodeId, endpoint, isFormer } = bootstrap;
    const live = nodeId !== undefined && this.#isLive(nodeId);
    const interval = live ? MAX_BACK_OFF : bootstrap.backOff;
    bootstrap.dueAt = after(now, millis(interval * (0.9 + this.#chance() * 0.2)));
    bootstrap.backOff = live ? FIRST_BACK_OFF : millis(Math.min(MAX_BACK_OFF, bootstrap.backOff * BACK_OFF_GROWTH));
    if (!isFormer || this.#isAlone()) this.#output.push({ kind: 'hello', to: endpoint });
  }
}
