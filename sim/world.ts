/** The small mesh of a schedule in virtual time, with all that happens to it by itself. */
import { identityPrimitives } from '../src/crypto/node.ts';
import { endpointOf, type Endpoint, type IpAddress, type Prefix } from '../src/inet/index.ts';
import type { OfferedNetwork } from '../src/mesh/description.ts';
import type { ImportRule } from '../src/mesh/entitlement.ts';
import { ROUTED } from '../src/mesh/gateways.ts';
import { fromHex } from '../src/mesh/hex.ts';
import { identityFromSeed } from '../src/mesh/identity.ts';
import { NatForTesting } from '../src/mesh/nat-for-testing.ts';
import { NetworkForTesting, PORT } from '../src/mesh/network-for-testing.ts';
import type { TrustPolicy } from '../src/mesh/trust.ts';
import { Random } from '../test/fuzz/random.ts';
import { addressOf, networksOf, ROUTED_NETWORK, type Disturbance, type HostPlan, type Schedule } from './schedule.ts';

/** The node of an attacker who is a member. */
export const MEMBER = 'mallory';

/** The same in every run. */
const nodeIds = new Map<string, string>();

/** What nobody else may have. */
export interface Belongings {
  readonly hostName: string;
  readonly nodeId: string;
  readonly address: IpAddress;
  readonly wireGuardPublicKey: Uint8Array;
  readonly offers: readonly Prefix[];
}

export class World {
  readonly schedule: Schedule;
  readonly network = new NetworkForTesting(identityPrimitives);
  readonly #loss: Random;
  readonly #nats = new Map<string, NatForTesting>();
  /** How many disturbances keep a host down, a host from a link, or lose datagrams. */
  readonly #down = new Map<string, number>();
  readonly #cuts = new Map<string, number>();
  readonly #lossShares: number[] = [];
  /** What belongs to each host that has run, by its name. */
  readonly belongings = new Map<string, Belongings>();
  /** Whether the machines of the attacker are there. */
  isAttacked = false;
  /** Called before a host is killed. */
  onKill: (host: string) => void = () => {};

  constructor(schedule: Schedule) {
    this.schedule = schedule;
    this.#loss = new Random(schedule.seed, 4);
    for (const { name, nat } of schedule.hosts) if (nat !== undefined) this.#nats.set(name, new NatForTesting(nat));
    this.network.isLost = (from, to, link) =>
      this.isCut(from, link) ||
      this.isCut(to, link) ||
      this.#lossShares.some((share) => this.#loss.below(1000) < share * 1000);
  }

  start(): void {
    for (const plan of this.schedule.hosts) this.#startHost(plan);
    for (const disturbance of this.schedule.disturbances) this.#plan(disturbance);
  }

  /** Starts the attacker's node; the others trust it. */
  startMember(): void {
    const [{ links, address }] = this.schedule.machines;
    this.network.start(MEMBER, {
      identitySeed: seedOf(MEMBER),
      links,
      addresses: address === undefined ? [] : [addressOf([...address.bytes.subarray(0, 3), 200])],
      bootstrap: this.#bootstrap(),
      trust: this.#trust(),
    });
  }

  nodeId(name: string): string {
    let nodeId = nodeIds.get(name);
    if (nodeId === undefined) {
      nodeId = identityFromSeed(seedOf(name), identityPrimitives).nodeId;
      nodeIds.set(name, nodeId);
    }
    return nodeId;
  }

  /** The sequence number of the description that a host has signed last. */
  sequence(name: string): number {
    return this.network.storedSequences.get(name) ?? 0;
  }

  isCut(host: string, link: number): boolean {
    return (this.#cuts.get(`${host} ${link}`) ?? 0) > 0;
  }

  /** Where `host` is on a network, as far as somebody there can know. */
  endpointOn({ name, address, nat }: HostPlan, network: number): Endpoint | undefined {
    if (network !== ROUTED_NETWORK) return this.network.linkLocalEndpoint(name, network);
    const outside = nat?.outside ?? address;
    return outside && endpointOf(outside, PORT);
  }

  /** Whether honest nodes lead from `a` to `b`. */
  hasPath(a: HostPlan, b: HostPlan): boolean {
    const seen = new Set([a]);
    for (const at of seen) {
      if (at !== a && !at.mayRelay) continue;
      for (const next of this.schedule.hosts) if (this.#isAdjacent(at, next)) seen.add(next);
    }
    return seen.has(b);
  }

  #isAdjacent(a: HostPlan, b: HostPlan): boolean {
    if (!this.network.isRunning(a.name) || !this.network.isRunning(b.name)) return false;
    const common = networksOf(a).filter((network) => networksOf(b).includes(network));
    return common.some(
      (network) =>
        !this.isCut(a.name, network) &&
        !this.isCut(b.name, network) &&
        (network !== ROUTED_NETWORK || a.nat === undefined || b.nat === undefined),
    );
  }

  #startHost(plan: HostPlan): void {
    const { name, links, address, mayRelay, offers } = plan;
    const nat = this.#nats.get(name);
    const { nodeId, address: meshAddress } = this.network.start(name, {
      identitySeed: seedOf(name),
      links,
      addresses: address === undefined ? [] : [address],
      ...(nat && { nat }),
      bootstrap: address === undefined ? [] : this.#bootstrap(),
      trust: this.#trust(),
      mayRelay,
      networks: offers.map((prefix): OfferedNetwork => ({ prefix, kind: ROUTED, preference: 100 })),
      imports: this.#imports(plan),
    });
    const wireGuardPublicKey = fromHex(this.network.device(name).key);
    this.belongings.set(name, { hostName: name, nodeId, address: meshAddress, wireGuardPublicKey, offers });
  }

  #bootstrap(): Endpoint[] {
    return this.schedule.hosts.flatMap(({ address, nat }) =>
      address === undefined || nat !== undefined ? [] : [endpointOf(address, PORT)],
    );
  }

  #trust(): TrustPolicy {
    const { trust, attacker, hosts } = this.schedule;
    if (trust === 'open') return { mode: 'open' };
    const names = [...hosts.map(({ name }) => name), ...(attacker === 'member' ? [MEMBER] : [])];
    return { mode: 'pinned', nodeIds: new Set(names.map((name) => this.nodeId(name))) };
  }

  #imports({ name: own, imports }: HostPlan): ImportRule[] {
    if (imports === 'nothing') return [];
    const others = this.schedule.hosts.filter(({ name }) => name !== own);
    return others.flatMap(({ name, offers }) =>
      offers.map((prefix): ImportRule => {
        const from = imports === 'from any' ? 'any' : new Set([this.nodeId(name)]);
        return { prefix, covers: 'exactly', from };
      }),
    );
  }

  #plan(disturbance: Disturbance): void {
    this.network.schedule(disturbance.from, () => this.#begin(disturbance));
    this.network.schedule(disturbance.until, () => this.#end(disturbance));
  }

  #begin(disturbance: Disturbance): void {
    switch (disturbance.kind) {
      case 'restart':
        if (count(this.#down, disturbance.host, 1) > 1) return;
        this.onKill(disturbance.host);
        return this.network.kill(disturbance.host);
      case 'cut':
        return void count(this.#cuts, `${disturbance.host} ${disturbance.link}`, 1);
      case 'loss':
        return void this.#lossShares.push(disturbance.share);
    }
  }

  #end(disturbance: Disturbance): void {
    switch (disturbance.kind) {
      case 'restart': {
        const plan = this.schedule.hosts.find(({ name }) => name === disturbance.host) as HostPlan;
        if (count(this.#down, disturbance.host, -1) === 0) this.#startHost(plan);
        return;
      }
      case 'cut':
        return void count(this.#cuts, `${disturbance.host} ${disturbance.link}`, -1);
      case 'loss':
        return void this.#lossShares.splice(this.#lossShares.indexOf(disturbance.share), 1);
    }
  }
}

function seedOf(name: string): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => name.charCodeAt(i % name.length) + i);
}

function count(counts: Map<string, number>, key: string, change: number): number {
  const value = (counts.get(key) ?? 0) + change;
  counts.set(key, value);
  return value;
}
