/**
 * The random calendar of one run: a small mesh, what happens to it by itself (restarts, cuts, loss), and what its attacker
 * does when. All of it is made of one number, and every action has chance of its own, so that a run without some of them
 * is otherwise the same: that is how a failing one is made smaller (shrink.ts).
 */
import { addressFromBytes, parsePrefix, type IpAddress, type Prefix } from '../src/inet/index.ts';
import { millis, seconds, type Millis } from '../src/machine/index.ts';
import type { NatOptions } from '../src/mesh/nat-for-testing.ts';
import { Random } from '../test/fuzz/random.ts';
import { TACTICS, type Tactic } from './tactics.ts';
import { LIES, type LiedKind } from './lies.ts';

/** Once everybody has started. */
export const CALM = seconds(10);
/** Nothing happens by itself after this; the attacker goes on to the end. */
export const LAST_DISTURBANCE = seconds(50);
export const LENGTH = seconds(70);
/** The routed network, as a link. */
export const ROUTED_NETWORK = 0;
const MAX_PAIRS = 10;
const BURST = seconds(8);

/** What the attacker does: lies of one message kind, or a tactic. */
export type AttackKind = LiedKind | Tactic;

export interface HostPlan {
  readonly name: string;
  readonly links: readonly number[];
  readonly address: IpAddress | undefined;
  readonly nat: NatOptions | undefined;
  readonly mayRelay: boolean;
  readonly offers: readonly Prefix[];
  /** Whom it believes about the networks of others. */
  readonly imports: 'nothing' | 'from any' | 'from owners';
}

export type Disturbance = { readonly from: Millis; readonly until: Millis } & (
  | { readonly kind: 'restart'; readonly host: string }
  | { readonly kind: 'cut'; readonly host: string; readonly link: number }
  | { readonly kind: 'loss'; readonly share: number }
);

export interface Attack {
  readonly kind: AttackKind;
  readonly at: Millis;
  /** Against whom, by number; left out, it is left to chance. */
  readonly target?: number;
  readonly chance: number;
}

export interface Schedule {
  readonly seed: number;
  readonly trust: 'open' | 'pinned';
  readonly attacker: 'outsider' | 'member';
  readonly hosts: readonly HostPlan[];
  /** Machines of the attacker; the first is where a member's node runs. */
  readonly machines: readonly {
    readonly name: string;
    readonly links: readonly number[];
    readonly address?: IpAddress;
  }[];
  readonly disturbances: readonly Disturbance[];
  /** Pairs of hosts, by number, of which the first sends to the second. */
  readonly pairs: readonly (readonly [number, number])[];
  readonly kinds: ReadonlySet<AttackKind>;
  readonly attacks: readonly Attack[];
}

export function makeSchedule(seed: number): Schedule {
  const chance = new Random(seed, 1);
  const hosts = makeHosts(chance);
  const attacker = chance.below(2) === 0 ? 'outsider' : 'member';
  const networks = [...new Set(hosts.flatMap(networksOf))];
  const kinds = makeKinds(new Random(seed, 2), attacker);
  const disturbances = makeDisturbances(new Random(seed, 3), hosts);
  return {
    seed,
    trust: chance.below(2) === 0 ? 'open' : 'pinned',
    attacker,
    hosts,
    machines: makeMachines(chance, networks),
    disturbances,
    pairs: makePairs(chance, hosts.length),
    kinds,
    attacks: [...kinds].flatMap((kind) =>
      makeAttacks(new Random(seed, 100 + allKinds.indexOf(kind)), kind, { hosts, disturbances }),
    ),
  };
}

/** The same without the attacks of some kinds. */
export function without(schedule: Schedule, left: ReadonlySet<AttackKind>): Schedule {
  return {
    ...schedule,
    kinds: new Set([...schedule.kinds].filter((kind) => !left.has(kind))),
    attacks: schedule.attacks.filter(({ kind }) => !left.has(kind)),
  };
}

export function networksOf({ links, address }: Pick<HostPlan, 'links' | 'address'>): number[] {
  return address === undefined ? [...links] : [...links, ROUTED_NETWORK];
}

export function addressOf(text: readonly number[]): IpAddress {
  return addressFromBytes(Uint8Array.from(text));
}

const allKinds: readonly AttackKind[] = [...(Object.keys(LIES) as LiedKind[]), ...TACTICS];

/** The first host is on every network, or next to it in a chain, and relays: without it the mesh may fall apart. */
function makeHosts(chance: Random): HostPlan[] {
  const count = 3 + chance.below(6);
  const shape = chance.pick(['link', 'two links', 'routed', 'mixed', 'chain'] as const);
  return Array.from({ length: count }, (_, i) => {
    const [links, isRouted] = placeOf(shape, i, chance);
    const nat = isRouted && i > 0 && chance.below(3) === 0 ? makeNat(chance, i) : undefined;
    const outside = addressOf([192, 0, 2, 1 + i]);
    const address = nat === undefined ? outside : addressOf([10, 0, i, 2]);
    return {
      name: String.fromCharCode(97 + i),
      links,
      address: isRouted ? address : undefined,
      nat,
      mayRelay: i === 0 || shape === 'chain' || chance.below(5) > 0,
      offers: makeOffers(chance, i),
      imports: chance.pick(['nothing', 'from any', 'from owners'] as const),
    };
  });
}

function placeOf(
  shape: 'link' | 'two links' | 'routed' | 'mixed' | 'chain',
  i: number,
  chance: Random,
): [links: number[], isRouted: boolean] {
  switch (shape) {
    case 'link':
      return [[1], false];
    case 'two links':
      return [i === 0 ? [1, 2] : chance.pick([[1], [2], [1, 2]]), false];
    case 'routed':
      return [[], true];
    case 'mixed':
      return i === 0
        ? [[1], true]
        : (chance.pick([[[1], false] as const, [[], true] as const, [[1], true] as const]).slice() as [
            number[],
            boolean,
          ]);
    case 'chain':
      return [i === 0 ? [1] : [i, i + 1], false];
  }
}

function makeNat(chance: Random, i: number): NatOptions {
  const dependences = ['endpoint-independent', 'address-and-port-dependent'] as const;
  return {
    outside: addressOf([203, 0, 113, 1 + i]),
    mapping: chance.pick(dependences),
    filtering: chance.pick(dependences),
    keepsPort: chance.below(2) === 0,
    timeout: seconds(chance.pick([30, 180])),
    isRefreshedInbound: chance.below(2) === 0,
  };
}

/** One address, or a network, or nothing. */
function makeOffers(chance: Random, i: number): Prefix[] {
  const text = chance.pick([`10.77.0.${5 + i}/32`, `10.${100 + i}.0.0/24`, '']);
  const prefix = parsePrefix(text);
  return prefix === undefined ? [] : [prefix];
}

function makeMachines(chance: Random, networks: readonly number[]): Schedule['machines'] {
  return Array.from({ length: 1 + chance.below(2) }, (_, i) => {
    const some = networks.filter(() => chance.below(2) === 0);
    const mine = some.length > 0 ? some : [chance.pick(networks)];
    const links = mine.filter((network) => network !== ROUTED_NETWORK);
    const isRouted = mine.includes(ROUTED_NETWORK);
    return { name: `mallory-${i}`, links, ...(isRouted && { address: addressOf([192, 0, 2, 101 + i]) }) };
  });
}

function makePairs(chance: Random, count: number): [number, number][] {
  const all = Array.from({ length: count * count }, (_, k): [number, number] => [Math.floor(k / count), k % count]);
  const pairs = all.filter(([a, b]) => a !== b);
  while (pairs.length > MAX_PAIRS) pairs.splice(chance.below(pairs.length), 1);
  return pairs;
}

function makeDisturbances(chance: Random, hosts: readonly HostPlan[]): Disturbance[] {
  return Array.from({ length: chance.below(6) }, (): Disturbance => {
    const from = millis(CALM + chance.below(LAST_DISTURBANCE - CALM));
    const until = millis(Math.min(LAST_DISTURBANCE, from + 500 + chance.below(15_000)));
    const { name: host, ...plan } = chance.pick(hosts);
    switch (chance.pick(['restart', 'restart', 'cut', 'cut', 'loss'] as const)) {
      case 'restart':
        return { kind: 'restart', host, from, until };
      case 'cut':
        return { kind: 'cut', host, link: chance.pick(networksOf(plan)), from, until };
      case 'loss':
        return { kind: 'loss', share: chance.pick([0.05, 0.2]), from, until };
    }
  });
}

/** Some of all: a run in which everything happens shows less than many in which little does. */
function makeKinds(chance: Random, attacker: Schedule['attacker']): Set<AttackKind> {
  const share = chance.pick([2, 3, 6]);
  const possible = allKinds.filter((kind) => kind !== 'blackhole' || attacker === 'member');
  const kinds = possible.filter(() => chance.below(share) === 0);
  return new Set(kinds.length > 0 ? kinds : [chance.pick(possible)]);
}

/** Spread over the whole run, or many in a few seconds: at any time, or when nodes look for each other. */
function makeAttacks(
  chance: Random,
  kind: AttackKind,
  { hosts, disturbances }: Pick<Schedule, 'hosts' | 'disturbances'>,
): Attack[] {
  const isBurst = chance.below(2) === 0;
  const moments = [0, chance.below(LENGTH), ...disturbances.flatMap(({ from, until }) => [from, until])];
  const begin = chance.pick(moments);
  const target = chance.below(2) === 0 ? {} : { target: chance.below(hosts.length) };
  const count = 2 + chance.below(isBurst ? 200 : 60);
  return Array.from({ length: count }, () => ({
    kind,
    ...target,
    at: millis(isBurst ? Math.min(LENGTH, begin + chance.below(BURST)) : chance.below(LENGTH)),
    chance: chance.uint32(),
  }));
}
