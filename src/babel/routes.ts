/** The route table: acquisition and selection of routes (RFC 8966 §3.5, §3.6 and Appendix A.3). */
import { addressesEqual, formatPrefix, type IpAddress, type Prefix } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import { HOLD_INTERVALS, INFINITE } from './constants.ts';
import { metricPlus, SmoothedMetric } from './metric.ts';
import type { Neighbour } from './neighbours.ts';
import type { RouterId } from './router-id.ts';
import type { SourceTable } from './sources.ts';
import { Sweep } from './sweep.ts';
import type { Update } from './tlv.ts';

export interface Route {
  readonly neighbour: Neighbour;
  routerId: RouterId;
  seqno: number;
  /** As the neighbour announced it; infinite once retracted or expired. */
  advertisedMetric: number;
  nextHop: IpAddress;
  readonly metric: SmoothedMetric;
  expiresAt: Millis;
  holdTime: Millis;
  /** When the neighbour is to be asked whether it still has the route (§3.8.2.3). */
  refreshAt: Millis;
}

/** What we have to say of a prefix that we have a way to. */
export interface Advertisement {
  readonly key: string;
  readonly routerId: RouterId;
  readonly seqno: number;
  readonly metric: number;
  readonly learnedFrom: Neighbour | undefined;
}

/** All that is known of one prefix. */
export interface Destination {
  readonly key: string;
  readonly prefix: Prefix;
  readonly routes: Map<Neighbour, Route>;
  selected: Route | undefined;
  /** The metric with which we announce the prefix as ours. */
  ownMetric: number | undefined;
  /** What neighbours were last told of by a triggered update. */
  told: Pick<Advertisement, 'routerId' | 'metric' | 'learnedFrom'> | undefined;
  /** What the caller knows of. */
  reported:
    | { readonly route: Route; readonly routerId: RouterId; readonly metric: number; readonly nextHop: IpAddress }
    | undefined;
  /** While the prefix is retracted, and neighbours may yet send packets for it here (§3.5.4). */
  hold: { readonly until: Millis; mayEndEarly: boolean } | undefined;
  /** When a better route may have been better for long enough. */
  reselectAt: Millis;
}

/** What became of an update. */
export type Acquired = 'changed' | 'unchanged' | 'ignored-unfeasible' | 'too-many-routes';

/** Of a hold time, how much is left when a route is asked after: half of it, then half of the rest. */
const REFRESH_FRACTION = 0.5;
const MIN_REFRESH = millis(500);
/** Of the smoothing time, how long it takes until a comparison is made again. */
const RESELECT_FRACTION = 0.25;

export class RouteTable {
  readonly #sources: SourceTable;
  readonly #maxPerNeighbour: number;
  readonly #destinations = new Map<string, Destination>();
  readonly #sweep = new Sweep();

  constructor(sources: SourceTable, maxPerNeighbour: number) {
    this.#sources = sources;
    this.#maxPerNeighbour = maxPerNeighbour;
  }

  get(key: string): Destination | undefined {
    return this.#destinations.get(key);
  }

  values(): IterableIterator<Destination> {
    return this.#destinations.values();
  }

  /** The destination, made if there is none. */
  obtain(prefix: Prefix): Destination {
    const key = formatPrefix(prefix);
    const known = this.#destinations.get(key);
    if (known !== undefined) return known;
    const nothing = {
      selected: undefined,
      ownMetric: undefined,
      told: undefined,
      reported: undefined,
      hold: undefined,
    };
    const destination = { key, prefix, routes: new Map(), ...nothing, reselectAt: millis(Infinity) };
    this.#destinations.set(key, destination);
    return destination;
  }

  /** Forgets the destination if there is nothing left to know. */
  collect(destination: Destination): void {
    const { key, routes, ownMetric, hold } = destination;
    if (routes.size === 0 && ownMetric === undefined && hold === undefined) this.#destinations.delete(key);
  }

  isFeasible(destination: Destination, { routerId, seqno, advertisedMetric }: Route): boolean {
    return this.#sources.isFeasible(destination.key, routerId, { seqno, metric: advertisedMetric });
  }

  /** Takes an update of finite metric (§3.5.3). */
  acquire(neighbour: Neighbour, update: Update, now: Millis): Acquired {
    const key = formatPrefix(update.prefix);
    const known = this.#destinations.get(key);
    const route = known?.routes.get(neighbour);
    if (known === undefined || route === undefined) {
      if (neighbour.prefixKeys.size >= this.#maxPerNeighbour) return 'too-many-routes';
      const destination = this.obtain(update.prefix);
      destination.routes.set(neighbour, this.#newRoute(neighbour, update, now));
      neighbour.prefixKeys.add(key);
      return 'changed';
    }
    const distance = { seqno: update.seqno, metric: update.metric };
    const isFeasible = this.#sources.isFeasible(key, update.routerId, distance);
    if (!isFeasible && known.selected === route && route.routerId === update.routerId) return 'ignored-unfeasible';
    const before = route.metric.current;
    const isSame =
      route.routerId === update.routerId &&
      route.seqno === update.seqno &&
      addressesEqual(route.nextHop, update.nextHop);
    route.routerId = update.routerId;
    route.seqno = update.seqno;
    route.nextHop = update.nextHop;
    route.advertisedMetric = update.metric;
    this.#prolong(route, update.interval, now);
    this.computeMetric(route, now);
    return isSame && before === route.metric.current ? 'unchanged' : 'changed';
  }

  /** Makes the neighbour's route infinite. It stays until its time is up. @returns whether there was one that was not */
  retract(destination: Destination, neighbour: Neighbour, now: Millis): boolean {
    const route = destination.routes.get(neighbour);
    if (route === undefined || route.advertisedMetric >= INFINITE) return false;
    route.advertisedMetric = INFINITE;
    this.computeMetric(route, now);
    return true;
  }

  /** Removes the neighbour's route at once. */
  remove(destination: Destination, neighbour: Neighbour): void {
    destination.routes.delete(neighbour);
    neighbour.prefixKeys.delete(destination.key);
    if (destination.selected?.neighbour === neighbour) destination.selected = undefined;
  }

  /** Computes the metric anew from what was announced and what the link costs. */
  computeMetric(route: Route, now: Millis): void {
    const metric = metricPlus(route.advertisedMetric, route.neighbour.cost);
    if (metric !== route.metric.current) route.metric.set(metric, now);
  }

  /**
   * Selects the best feasible route. One that is selected stays so unless another is better both now and in the mean
   * (Appendix A.3). Seqnos play no part (§3.6).
   */
  select(destination: Destination, now: Millis): void {
    const { selected } = destination;
    const usable = [...destination.routes.values()].filter(
      (route) => route.metric.current < INFINITE && this.isFeasible(destination, route),
    );
    destination.reselectAt = millis(Infinity);
    const better = usable.filter(({ metric }) => selected !== undefined && metric.current < selected.metric.current);
    if (selected === undefined || !usable.includes(selected)) {
      destination.selected = best(usable, ({ metric }) => metric.current);
      return;
    }
    const mean = selected.metric.smoothed(now);
    const lasting = better.filter(({ metric }) => metric.smoothed(now) < mean);
    if (lasting.length > 0) destination.selected = best(lasting, ({ metric }) => metric.current);
    else if (better.length > 0) {
      destination.reselectAt = after(now, millis(smoothingTime(selected.neighbour) * RESELECT_FRACTION));
      this.#sweep.add(destination.reselectAt);
    }
  }

  hold(destination: Destination, length: Millis, now: Millis): void {
    destination.hold = { until: after(now, length), mayEndEarly: true };
    this.#sweep.add(destination.hold.until);
  }

  /**
   * Lets routes expire (§3.5.3).
   * @returns the destinations to look at again, and the selected routes that are about to expire
   */
  handleTimeout(now: Millis): { changed: Destination[]; refresh: { destination: Destination; route: Route }[] } {
    const changed = new Set<Destination>();
    const refresh: { destination: Destination; route: Route }[] = [];
    if (!this.#sweep.take(now)) return { changed: [], refresh };
    for (const destination of this.#destinations.values()) {
      for (const route of destination.routes.values()) {
        const due = this.#age(destination, route, now);
        if (due === 'expired') changed.add(destination);
        else if (due === 'refresh' && destination.selected === route) refresh.push({ destination, route });
      }
      const holdEnds = destination.hold?.until ?? millis(Infinity);
      if (Math.min(holdEnds, destination.reselectAt) <= now) changed.add(destination);
      else this.#sweep.add(millis(Math.min(holdEnds, destination.reselectAt)));
    }
    return { changed: [...changed], refresh };
  }

  nextTimeout(): Millis | undefined {
    return this.#sweep.next;
  }

  /** @returns what is due of the route at `now`, and sees to it that what is due next is not missed */
  #age(destination: Destination, route: Route, now: Millis): 'expired' | 'refresh' | undefined {
    const isExpired = route.expiresAt <= now;
    const isToRefresh = !isExpired && route.refreshAt <= now;
    if (isExpired) {
      if (route.advertisedMetric >= INFINITE) {
        this.remove(destination, route.neighbour);
        return 'expired';
      }
      this.retract(destination, route.neighbour, now);
      route.expiresAt = after(now, route.holdTime);
    }
    if (isExpired || isToRefresh) this.#planRefresh(route, now);
    this.#sweep.add(route.refreshAt);
    if (isExpired) return 'expired';
    return isToRefresh ? 'refresh' : undefined;
  }

  #newRoute(neighbour: Neighbour, update: Update, now: Millis): Route {
    const { routerId, seqno, metric, nextHop, interval } = update;
    const smoothed = new SmoothedMetric(metricPlus(metric, neighbour.cost), smoothingTime(neighbour), now);
    const never = millis(Infinity);
    const times = { expiresAt: never, holdTime: never, refreshAt: never };
    const route = { neighbour, routerId, seqno, advertisedMetric: metric, nextHop, metric: smoothed, ...times };
    this.#prolong(route, interval, now);
    return route;
  }

  #prolong(route: Route, interval: Millis, now: Millis): void {
    route.holdTime = millis(interval * HOLD_INTERVALS);
    route.expiresAt = after(now, route.holdTime);
    this.#planRefresh(route, now);
    this.#sweep.add(route.refreshAt);
  }

  #planRefresh(route: Route, now: Millis): void {
    const left = route.expiresAt - now;
    // Not before two regular announcements are missing.
    const wait = left > route.holdTime * REFRESH_FRACTION ? left * 0.75 : left * REFRESH_FRACTION;
    route.refreshAt =
      left - wait < MIN_REFRESH || route.advertisedMetric >= INFINITE ? route.expiresAt : after(now, millis(wait));
  }
}

function smoothingTime({ link: { timing } }: Neighbour): Millis {
  return timing.smoothingTime;
}

function best(routes: readonly Route[], measure: (route: Route) => number): Route | undefined {
  let found: Route | undefined;
  for (const route of routes) if (found === undefined || measure(route) < measure(found)) found = route;
  return found;
}
