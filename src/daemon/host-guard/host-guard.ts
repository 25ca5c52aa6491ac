import { RoutingMonitor, watchReadable, type RouteMessage } from '../../linux/index.ts';
import { flawsOf, lacksMainRule, type Flaw } from './flaws.ts';
import { lookAtHost, mend, nameOfProcess, runsNetworkd } from './host.ts';
import { Patience } from './patience.ts';
import type { SeenHost, WantedHost } from './wanted.ts';
import { describeFailure, describeRepair } from './words.ts';

/** Changes come in flocks: addresses and routes go with their interface. */
const SETTLE_MS = 30;
/** Between two looks while something is not as it should be. */
const RETRY_MS = 250;
/** The kernel does not tell of all that goes. */
const LOOK_INTERVAL_MS = 15_000;
/** One flaw can uncover the next: the MTU, then IPv6, then its settings, then addresses and routes. */
const MAX_ROUNDS = 6;
const MISSED_MS = 1000;
const MIN_MTU = 1280;

export interface GuardWorld {
  /** `undefined` while it is being changed. */
  wanted(): WantedHost | undefined;
  /** Routes of the imports have an owner, who may have changed his mind meanwhile. */
  putBackImports(flaws: readonly Flaw[]): Promise<void>;
  onChange(words: string): void;
  /** Whether packets can pass the interface at all. */
  onState(isUp: boolean): void;
  /** The interface is not in this network namespace any more. */
  onGone(): void;
  onError(error: Error): void;
}

/** Puts back what somebody else takes away of what a mesh has put up on the host, and says so. */
export class HostGuard {
  readonly #world: GuardWorld;
  readonly #monitor = new RoutingMonitor();
  readonly #watch: { close(): void };
  readonly #patience = new Patience();
  /** What has been said to be impossible, until it works. */
  readonly #failed = new Set<string>();
  /** Who asked for the removal of something of ours, by the number of his socket. */
  #culprit = 0;
  /** What the interface was for a moment. */
  #passing: string | undefined;
  #isMissed = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #looking: Promise<void> | undefined;
  #isClosed = false;

  /** @throws SystemCallError */
  constructor(world: GuardWorld) {
    this.#world = world;
    this.#watch = watchReadable(this.#monitor.fd, () => this.#read());
    this.#lookIn(0);
  }

  /** Waits until nothing is being put back any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#watch.close();
    this.#monitor.close();
    await this.#looking;
  }

  #read(): void {
    const wanted = this.#world.wanted();
    let isOurs = wanted === undefined;
    const isComplete = this.#monitor.read((change) => {
      if (wanted !== undefined && isAbout(change, wanted)) {
        isOurs = true;
        this.#note(change, wanted);
      }
    });
    if (isOurs || !isComplete) this.#lookIn(SETTLE_MS);
  }

  #note(change: RouteMessage, { link, rules }: WantedHost): void {
    const isOurs =
      change.kind === 'route' || (change.kind === 'rule' && rules[0]?.rule.protocol === change.rule.protocol);
    if (isOurs && change.removed) this.#culprit ||= change.portId;
    if (change.kind !== 'link') return;
    if (change.link.mtu < MIN_MTU) this.#passing = `set the MTU of ${link.name} to ${change.link.mtu} for a moment`;
    else if (!change.link.up) this.#passing ??= `switched ${link.name} off and on`;
  }

  /** The earliest of the wishes counts. */
  #lookIn(ms: number): void {
    const at = performance.now() + ms;
    if (this.#isClosed || at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#startLooking();
    }, ms);
  }

  #startLooking(): void {
    if (this.#looking !== undefined) return this.#lookIn(SETTLE_MS);
    this.#looking = this.#look()
      .catch((error: unknown) => this.#world.onError(error as Error))
      .finally(() => {
        this.#looking = undefined;
        this.#lookIn(LOOK_INTERVAL_MS);
      });
  }

  async #look(): Promise<void> {
    const wanted = this.#world.wanted();
    if (wanted === undefined) return this.#lookIn(SETTLE_MS);
    const seen = lookAtHost(wanted.link.index);
    if (seen === undefined) return this.#miss();
    this.#isMissed = false;
    this.#world.onState(seen.link.up);
    const flaws = flawsOf(wanted, seen);
    for (const key of this.#failed) if (!flaws.some((flaw) => flaw.key === key)) this.#failed.delete(key);
    const now = performance.now();
    const due = flaws.filter(({ key }) => this.#patience.dueAt(key, now) <= now);
    if (due.length > 0) await this.#putBack(due, wanted, seen);
    this.#forgetOwnChanges();
    const left = this.#flawsLeft();
    if (left.length === 0) return;
    const dueAt = Math.min(...left.map(({ key }) => this.#patience.dueAt(key, now)));
    this.#lookIn(Math.max(RETRY_MS, dueAt - performance.now()));
  }

  /** Of an interface that is deleted the device knows, too, and by then has said so. */
  #miss(): void {
    if (this.#isMissed) return this.#world.onGone();
    this.#isMissed = true;
    this.#lookIn(MISSED_MS);
  }

  async #putBack(due: readonly Flaw[], wanted: WantedHost, seen: SeenHost): Promise<void> {
    const { name } = wanted.link;
    const pauseMs = Math.max(...due.map(({ key }) => this.#patience.putBack(key, performance.now())));
    const failed = new Map<string, string | undefined>();
    let flaws = due;
    for (let round = 0; round < MAX_ROUNDS && flaws.length > 0 && !this.#isClosed; round++) {
      await mend(flaws, name, ({ key }, why) => failed.set(key, why));
      await this.#world.putBackImports(flaws);
      flaws = followersOf(due, this.#flawsLeft()).filter(({ key }) => !failed.has(key));
    }
    const left = new Set(this.#flawsLeft().map(({ key }) => key));
    const mended = due.filter(({ key }) => !left.has(key));
    const isToSay = mended.some(({ kind }) => kind !== 'settings');
    if (isToSay) {
      const rules = mended.filter(({ kind }) => kind === 'rule');
      this.#world.onChange(
        describeRepair({
          flaws: mended,
          who: this.#culprit === 0 ? undefined : nameOfProcess(this.#culprit),
          passing: due.some(({ kind }) => kind === 'link') ? undefined : this.#passing,
          pauseMs,
          withoutMainRule: ([4, 6] as const).filter(
            (family) => rules.some((flaw) => flaw.family === family) && lacksMainRule(seen, family),
          ),
          hasNetworkd: runsNetworkd(),
        }),
      );
    }
    for (const flaw of due.filter(({ key }) => left.has(key))) this.#sayFailure(flaw, failed.get(flaw.key), name);
  }

  #sayFailure(flaw: Flaw, why: string | undefined, link: string): void {
    if (this.#failed.has(flaw.key)) return;
    this.#failed.add(flaw.key);
    this.#world.onChange(describeFailure(flaw, why, link));
  }

  #flawsLeft(): Flaw[] {
    const wanted = this.#world.wanted();
    const seen = wanted && lookAtHost(wanted.link.index);
    if (wanted === undefined || seen === undefined) return [];
    this.#world.onState(seen.link.up);
    return flawsOf(wanted, seen);
  }

  /** What was read so far has been dealt with, and some of it was ours. */
  #forgetOwnChanges(): void {
    if (!this.#isClosed) this.#monitor.read(() => undefined);
    this.#culprit = 0;
    this.#passing = undefined;
  }
}

/** What there is to do after the causes are mended: what follows from them, and nothing that somebody does meanwhile. */
function followersOf(due: readonly Flaw[], left: readonly Flaw[]): readonly Flaw[] {
  const hasCause = due.some(({ kind }) => kind === 'link' || kind === 'ipv6' || kind === 'settings');
  return hasCause ? left : [];
}

function isAbout(change: RouteMessage, { link, routes }: WantedHost): boolean {
  switch (change.kind) {
    case 'link':
      return change.link.index === link.index;
    case 'address':
      return change.address.interfaceIndex === link.index;
    case 'route':
      return change.route.interfaceIndex === link.index || routes.some(({ table }) => table === change.route.table);
    case 'rule':
      return change.removed;
    default:
      return false;
  }
}
