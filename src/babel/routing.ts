/** Which routes we believe, follow, announce and ask for (RFC 8966 §3.5 to §3.8). */
import { addressesEqual, formatPrefix, type Prefix } from '../inet/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import type { Channel } from './channel.ts';
import { HOLD_INTERVALS, INFINITE, MAX_HOP_COUNT, SIGNIFICANT_METRIC_CHANGE } from './constants.ts';
import type { Interface } from './interfaces.ts';
import { isMartian } from './martian.ts';
import type { Neighbour } from './neighbours.ts';
import { RequestTable, type Wish } from './requests.ts';
import type { RouterId } from './router-id.ts';
import type { Advertisement, Destination, Route, RouteTable } from './routes.ts';
import { isHeldBack, RELIABLE_COPIES, type Sender } from './sender.ts';
import { isSeqnoLess, seqnoPlus } from './seqno.ts';
import type { SourceTable } from './sources.ts';
import type { Belief, DropReason, RouteFilter, RouteView, SpeakerOutput } from './speaker-interface.ts';
import type { SeqnoRequest, Update } from './tlv.ts';

export interface RoutingContext {
  readonly routerId: RouterId;
  readonly seqno: number;
  readonly maxRequests: number;
  readonly interfaces: ReadonlyMap<string, Interface>;
  readonly table: RouteTable;
  readonly sources: SourceTable;
  readonly sender: Sender;
  readonly output: (output: SpeakerOutput) => void;
  readonly drop: (reason: DropReason) => void;
}

/** Full announcements that a neighbour asks for. */
const MIN_DUMP_INTERVAL = seconds(1);
const MIN_SEQNO_INTERVAL = millis(100);
/** How much better an unfeasible route must be to be asked for while there is a feasible one (§3.8.2.2). */
const WORTH_ASKING = 32;

export class Routing {
  readonly #context: RoutingContext;
  readonly #requests: RequestTable;
  #filter: RouteFilter;
  #seqno: number;
  #seqnoAt = millis(-Infinity);

  constructor(context: RoutingContext, filter: RouteFilter) {
    this.#context = context;
    this.#requests = new RequestTable(context.maxRequests);
    this.#filter = filter;
    this.#seqno = context.seqno;
  }

  announce(prefix: Prefix, metric: number, now: Millis): void {
    const destination = this.#context.table.obtain(prefix);
    destination.ownMetric = metric;
    this.#reselect(destination, now);
  }

  withdraw(prefix: Prefix, now: Millis): void {
    const destination = this.#context.table.get(formatPrefix(prefix));
    if (destination === undefined) return;
    destination.ownMetric = undefined;
    this.#reselect(destination, now);
  }

  /** What was believed and is not any longer is forgotten; what is believed from now on is asked for. */
  setFilter(filter: RouteFilter, now: Millis): void {
    this.#filter = filter;
    for (const { neighbours } of this.#context.interfaces.values()) {
      for (const neighbour of neighbours.values()) this.#filterAnew(neighbour, now);
    }
  }

  get seqno(): number {
    return this.#seqno;
  }

  /** As `setFilter`, for one prefix, of which another filter may hold now. Nobody is asked. */
  review(prefix: Prefix, now: Millis): void {
    const destination = this.#context.table.get(formatPrefix(prefix));
    if (destination === undefined) return;
    for (const neighbour of [...destination.routes.keys()]) this.#reviewRoute(destination, neighbour, now);
  }

  /** @see SourceTable.limit */
  limitSeqno(prefix: Prefix, routerId: RouterId, seqno: number, now: Millis): void {
    const key = formatPrefix(prefix);
    const isLimited = this.#context.sources.limit(key, routerId, seqno);
    this.review(prefix, now);
    const destination = this.#context.table.get(key);
    if (isLimited && destination !== undefined) this.#reselect(destination, now);
  }

  advertisementOf(key: string): Advertisement | undefined {
    const destination = this.#context.table.get(key);
    if (destination === undefined) return undefined;
    const { ownMetric, selected } = destination;
    const { routerId } = this.#context;
    if (ownMetric !== undefined) {
      return { key, routerId, seqno: this.#seqno, metric: ownMetric, learnedFrom: undefined };
    }
    if (selected === undefined) return undefined;
    const { seqno, metric, neighbour } = selected;
    return { key, routerId: selected.routerId, seqno, metric: metric.current, learnedFrom: neighbour };
  }

  // What neighbours say

  handleUpdate(neighbour: Neighbour, update: Update, now: Millis): void {
    const { table, drop } = this.#context;
    const refusal = this.#refusal(neighbour, update);
    if (refusal === 'put-off') return drop(refusal);
    if (refusal !== undefined) {
      drop(refusal);
      // What the neighbour said of the prefix before no longer holds.
      return this.handleRetraction(neighbour, update.prefix, now);
    }
    const acquired = table.acquire(neighbour, update, now);
    if (acquired === 'too-many-routes') return drop(acquired);
    const destination = table.obtain(update.prefix);
    if (acquired === 'changed') this.#reselect(destination, now);
    const route = destination.routes.get(neighbour);
    if (acquired === 'ignored-unfeasible') {
      drop('unfeasible');
      this.#request(destination, update.routerId, [neighbour], now);
    } else if (acquired === 'unchanged' && destination.selected === undefined) {
      // All that was asked before may have been lost, and nothing changes until somebody is asked again.
      this.#starve(destination, now);
    } else if (route !== undefined) this.#requestIfBetter(destination, route, now);
  }

  /** `prefix`: left out, all that the neighbour has announced. */
  handleRetraction(neighbour: Neighbour, prefix: Prefix | undefined, now: Millis): void {
    const destination = prefix === undefined ? undefined : this.#context.table.get(formatPrefix(prefix));
    if (prefix !== undefined && destination === undefined) return;
    for (const retracted of destination === undefined ? this.#announcedBy(neighbour) : [destination]) {
      if (this.#context.table.retract(retracted, neighbour, now)) this.#reselect(retracted, now);
    }
  }

  handleRouteRequest(neighbour: Neighbour, prefix: Prefix | undefined, now: Millis): void {
    if (prefix !== undefined) return this.#answer(neighbour, prefix, now);
    const mayDumpAt = after(neighbour.dumpedAt, MIN_DUMP_INTERVAL);
    if (mayDumpAt <= now) return this.dump(neighbour, now);
    // It believes others now than when it was told last, and will not ask again.
    neighbour.dumpWantedAt = mayDumpAt;
    this.#context.drop('dump-too-soon');
  }

  /** §3.8.1.2 */
  handleSeqnoRequest(neighbour: Neighbour, request: SeqnoRequest, now: Millis): void {
    const { prefix, routerId, seqno, hopCount } = request;
    const key = formatPrefix(prefix);
    const destination = this.#context.table.get(key);
    const advertisement = this.advertisementOf(key);
    if (destination === undefined || advertisement === undefined) return;
    if (advertisement.routerId !== routerId || !isSeqnoLess(advertisement.seqno, seqno)) {
      return this.#answer(neighbour, prefix, now);
    }
    if (routerId === this.#context.routerId) {
      // By one, however much was asked for, and not so often that seqnos of the last minutes come round again.
      if (after(this.#seqnoAt, MIN_SEQNO_INTERVAL) <= now) {
        this.#seqno = seqnoPlus(this.#seqno, 1);
        this.#seqnoAt = now;
      } else this.#context.drop('seqno-too-soon');
      return this.#answer(neighbour, prefix, now);
    }
    if (hopCount < 2) return;
    const next = this.#forwardTo(destination, neighbour);
    if (next === undefined) return;
    const mayForward = this.#requests.forward({ key, prefix, routerId, seqno }, neighbour, now);
    if (mayForward === undefined) return this.#context.drop('too-many-requests');
    if (mayForward) this.#sendNow(next, { ...request, hopCount: hopCount - 1 }, now);
  }

  handleDelivered(keys: readonly string[], now: Millis): void {
    for (const key of keys) {
      const destination = this.#context.table.get(key);
      if (destination?.hold?.mayEndEarly !== true || this.#isWaiting(key)) continue;
      destination.hold = { until: now, mayEndEarly: true };
      this.#reselect(destination, now);
    }
  }

  handleUnconfirmed(keys: readonly string[]): void {
    for (const key of keys) {
      const hold = this.#context.table.get(key)?.hold;
      if (hold !== undefined) hold.mayEndEarly = false;
    }
  }

  // What becomes of links

  /** The cost of the link to the neighbour has changed. */
  handleCost(neighbour: Neighbour, now: Millis): void {
    for (const destination of this.#announcedBy(neighbour)) {
      const route = destination.routes.get(neighbour);
      if (route === undefined) continue;
      this.#context.table.computeMetric(route, now);
      this.#reselect(destination, now);
    }
  }

  /** The neighbour can be talked to. */
  handleReachable(neighbour: Neighbour, now: Millis): void {
    this.dump(neighbour, now);
    this.#requestEverything(neighbour, now);
  }

  /** Forgets all that the neighbour has said. */
  forget(neighbour: Neighbour, now: Millis): void {
    this.#requests.forget(neighbour);
    for (const destination of this.#announcedBy(neighbour)) {
      this.#context.table.remove(destination, neighbour);
      this.#reselect(destination, now);
    }
  }

  // What is due

  /** Announces everything to the neighbour. */
  dump(neighbour: Neighbour, now: Millis): void {
    neighbour.dumpedAt = now;
    neighbour.dumpWantedAt = millis(Infinity);
    for (const { key, prefix } of this.#advertised()) {
      const update = { prefix, copies: RELIABLE_COPIES, isAnswer: false };
      this.#context.sender.update(neighbour.channel, key, update, { urgency: 'urgent', now });
    }
  }

  /** Announces everything on the interface, as must be done every so often (§3.7.1). */
  announceEverything(owner: Interface, now: Millis): void {
    for (const channel of owner.channels()) {
      for (const { key, prefix } of this.#advertised()) {
        this.#context.sender.update(channel, key, { prefix, copies: 0, isAnswer: false }, { urgency: 'soon', now });
      }
    }
  }

  handleTimeout(now: Millis): void {
    const { table, sources, sender } = this.#context;
    // What was unfeasible by what is forgotten now may have been announced without a change ever since.
    const forgotten = [...sources.handleTimeout(now)].flatMap((key) => table.get(key) ?? []);
    const { changed, refresh } = table.handleTimeout(now);
    for (const destination of new Set([...forgotten, ...changed])) this.#reselect(destination, now);
    for (const { destination, route } of refresh) {
      sender.send(route.neighbour.channel, { kind: 'route-request', prefix: destination.prefix }, 'urgent', now);
    }
    for (const request of this.#requests.handleTimeout(now)) this.#resend(request, now);
  }

  nextTimeout(): Millis {
    const { table, sources } = this.#context;
    const wanted = [table.nextTimeout(), sources.nextTimeout(), this.#requests.nextTimeout()];
    return millis(Math.min(...wanted.map((at) => at ?? Infinity)));
  }

  destinations(): IterableIterator<Destination> {
    return this.#context.table.values();
  }

  /** All, or those to `prefix`. */
  routes(prefix?: Prefix): RouteView[] {
    const { table } = this.#context;
    const one = prefix && table.get(formatPrefix(prefix));
    const destinations = prefix === undefined ? [...table.values()] : one === undefined ? [] : [one];
    return destinations.flatMap((destination) =>
      [...destination.routes.values()].map((route) => ({
        ...describe(destination, route),
        neighbour: route.neighbour.address,
        seqno: route.seqno,
        isSelected: destination.selected === route && destination.ownMetric === undefined,
        isFeasible: this.#context.table.isFeasible(destination, route),
      })),
    );
  }

  // Selection and what follows from it

  #reselect(destination: Destination, now: Millis): void {
    this.#context.table.select(destination, now);
    this.#report(destination, now);
    this.#trigger(destination, now);
    this.#starve(destination, now);
    this.#grant(destination, now);
    // The selected one may have become worse than others, which say nothing new.
    for (const route of destination.routes.values()) this.#requestIfBetter(destination, route, now);
    this.#context.table.collect(destination);
  }

  /** Tells the caller which way packets are to go. */
  #report(destination: Destination, now: Millis): void {
    const { prefix, selected, ownMetric, reported, hold } = destination;
    const { output, table } = this.#context;
    if (selected !== undefined && ownMetric === undefined) {
      destination.hold = undefined;
      if (reported !== undefined && !isSignificantlyOther(reported, selected)) return;
      output({ kind: reported === undefined ? 'route-added' : 'route-changed', ...describe(destination, selected) });
      const { routerId, metric, nextHop } = selected;
      destination.reported = { route: selected, routerId, metric: metric.current, nextHop };
      return;
    }
    destination.reported = undefined;
    if (reported !== undefined && ownMetric === undefined && this.#hasListeners()) {
      table.hold(destination, this.#holdTime(), now);
      output({ kind: 'route-unreachable', prefix });
    } else if (reported !== undefined || (hold !== undefined && (hold.until <= now || ownMetric !== undefined))) {
      destination.hold = undefined;
      output({ kind: 'route-removed', prefix });
    }
  }

  /** Tells the neighbours, if it matters to them (§3.7.2). */
  #trigger(destination: Destination, now: Millis): void {
    const { told } = destination;
    const news = this.advertisementOf(destination.key);
    const isOther = news?.routerId !== told?.routerId;
    if (isOther) this.#tell(destination, RELIABLE_COPIES, this.#channels(), now);
    else if (news === undefined || told === undefined) return;
    else if (Math.abs(news.metric - told.metric) >= SIGNIFICANT_METRIC_CHANGE) {
      this.#tell(destination, 0, this.#channels(), now);
    } else if (news.learnedFrom === told.learnedFrom) return;
    else {
      // Split horizon has kept it from those who were the way until now, and who may soon need another.
      const unaware = this.#channels().filter((channel) => isHeldBack(channel, told.learnedFrom));
      this.#tell(destination, RELIABLE_COPIES, unaware, now);
    }
    destination.told = news;
  }

  /** With unfeasible routes only, asks for a seqno that makes them feasible (§3.8.2.1). */
  #starve(destination: Destination, now: Millis): void {
    if (destination.selected !== undefined || destination.ownMetric !== undefined) return;
    const byRouterId = new Map<RouterId, Neighbour[]>();
    for (const { routerId, metric, neighbour } of destination.routes.values()) {
      if (metric.current < INFINITE) byRouterId.set(routerId, [...(byRouterId.get(routerId) ?? []), neighbour]);
    }
    for (const [routerId, neighbours] of byRouterId) this.#request(destination, routerId, neighbours, now);
  }

  /** Passes on at once what somebody has asked for. */
  #grant(destination: Destination, now: Millis): void {
    const news = this.advertisementOf(destination.key);
    if (news === undefined) return;
    for (const { waiting } of this.#requests.grant(news.key, news.routerId, news.seqno)) {
      for (const neighbour of waiting) this.#answer(neighbour, destination.prefix, now);
    }
  }

  #requestIfBetter(destination: Destination, route: Route, now: Millis): void {
    const { selected, ownMetric } = destination;
    if (ownMetric !== undefined || selected === undefined || this.#context.table.isFeasible(destination, route)) return;
    if (route.metric.current + WORTH_ASKING >= selected.metric.current) return;
    this.#request(destination, route.routerId, [route.neighbour], now);
  }

  #request(destination: Destination, routerId: RouterId, neighbours: readonly Neighbour[], now: Millis): void {
    const { key, prefix } = destination;
    const seqno = this.#context.sources.nextSeqno(key, routerId);
    if (seqno === undefined) return;
    const wish = { key, prefix, routerId, seqno };
    const asked = this.#requests.originate(wish, neighbours, now);
    if (asked === undefined) return this.#context.drop('too-many-requests');
    for (const neighbour of asked) this.#sendNow(neighbour, requestFor(wish), now);
  }

  /** To whoever may have a way by now. */
  #resend(wish: Wish & { readonly asked: Set<Neighbour> }, now: Millis): void {
    const routes = this.#context.table.get(wish.key)?.routes.values() ?? [];
    for (const { metric, neighbour } of routes) {
      if (metric.current >= INFINITE) continue;
      wish.asked.add(neighbour);
      this.#sendNow(neighbour, requestFor(wish), now);
    }
  }

  /** The next hop of a feasible route, or else of another, but not back (§3.8.1.2). */
  #forwardTo(destination: Destination, from: Neighbour): Neighbour | undefined {
    const { selected } = destination;
    if (selected !== undefined && selected.neighbour !== from) return selected.neighbour;
    const others = [...destination.routes.values()].filter(
      ({ neighbour, metric }) => neighbour !== from && metric.current < INFINITE,
    );
    return (others.find((route) => this.#context.table.isFeasible(destination, route)) ?? others.at(0))?.neighbour;
  }

  #sendNow(neighbour: Neighbour, request: SeqnoRequest, now: Millis): void {
    this.#context.sender.send(neighbour.channel, request, 'urgent', now);
  }

  #answer(neighbour: Neighbour, prefix: Prefix, now: Millis): void {
    const update = { prefix, copies: RELIABLE_COPIES, isAnswer: true };
    this.#context.sender.update(neighbour.channel, formatPrefix(prefix), update, { urgency: 'urgent', now });
  }

  #tell({ key, prefix }: Destination, copies: number, channels: readonly Channel[], now: Millis): void {
    for (const channel of channels) {
      this.#context.sender.update(channel, key, { prefix, copies, isAnswer: false }, { urgency: 'urgent', now });
    }
  }

  #channels(): Channel[] {
    return [...this.#context.interfaces.values()].flatMap((owner) => owner.channels());
  }

  #requestEverything(neighbour: Neighbour, now: Millis): void {
    this.#context.sender.send(neighbour.channel, { kind: 'route-request', prefix: undefined }, 'urgent', now);
  }

  #refusal(neighbour: Neighbour, update: Update): DropReason | undefined {
    if (isMartian(update.prefix)) return 'martian-prefix';
    // It is a way back to us, or an echo of an earlier life.
    if (update.routerId === this.#context.routerId) return 'own-router-id';
    const belief = this.#beliefIn(neighbour, update);
    if (belief === 'later') return 'put-off';
    return belief ? undefined : 'filtered';
  }

  #beliefIn(neighbour: Neighbour, { prefix, routerId, seqno }: Pick<Update, 'prefix' | 'routerId' | 'seqno'>): Belief {
    const { link, address } = neighbour;
    return this.#filter({ prefix, routerId, seqno, interface: link.id, neighbour: address });
  }

  #filterAnew(neighbour: Neighbour, now: Millis): void {
    for (const destination of this.#announcedBy(neighbour)) this.#reviewRoute(destination, neighbour, now);
    if (neighbour.isReachable) this.#requestEverything(neighbour, now);
  }

  /** Forgets the neighbour's route if it is not believed any longer. */
  #reviewRoute(destination: Destination, neighbour: Neighbour, now: Millis): void {
    const route = destination.routes.get(neighbour);
    if (route === undefined) return;
    const { routerId, seqno } = route;
    if (this.#beliefIn(neighbour, { prefix: destination.prefix, routerId, seqno }) === true) return;
    this.#context.table.remove(destination, neighbour);
    this.#reselect(destination, now);
  }

  #announcedBy({ prefixKeys }: Neighbour): Destination[] {
    return [...prefixKeys].flatMap((key) => this.#context.table.get(key) ?? []);
  }

  /** Those with a way, and those that have just lost it (§3.7.1). */
  #advertised(): Destination[] {
    return [...this.#context.table.values()].filter(
      ({ key, hold }) => hold !== undefined || this.advertisementOf(key) !== undefined,
    );
  }

  /** Whether a neighbour may have taken us for the next hop. */
  #hasListeners(): boolean {
    return [...this.#context.interfaces.values()].some(({ neighbours }) =>
      [...neighbours.values()].some(({ isReachable }) => isReachable),
    );
  }

  #isWaiting(key: string): boolean {
    return this.#channels().some((channel) => channel.hasUpdate(key));
  }

  /** For how long neighbours may go by what we said last. */
  #holdTime(): Millis {
    const intervals = Array.from(this.#context.interfaces.values(), ({ link }) => link.timing.updateInterval);
    return millis(HOLD_INTERVALS * Math.max(0, ...intervals));
  }
}

function describe({ prefix }: Destination, { neighbour, nextHop, metric, routerId }: Route) {
  return { prefix, interface: neighbour.link.id, nextHop, metric: metric.current, routerId };
}

function isSignificantlyOther(reported: NonNullable<Destination['reported']>, selected: Route): boolean {
  return (
    reported.route.neighbour !== selected.neighbour ||
    reported.routerId !== selected.routerId ||
    !addressesEqual(reported.nextHop, selected.nextHop) ||
    Math.abs(reported.metric - selected.metric.current) >= SIGNIFICANT_METRIC_CHANGE
  );
}

function requestFor({ prefix, routerId, seqno }: Wish): SeqnoRequest {
  return { kind: 'seqno-request', prefix, routerId, seqno, hopCount: MAX_HOP_COUNT };
}
