/**
 * Looks on, once a second and at every change of a device's configuration, for what must not happen to names, addresses,
 * keys, networks and the memory of nodes.
 */
import {
  addressesEqual,
  formatEndpoint,
  formatPrefix,
  isHostPrefix,
  prefixOf,
  type Endpoint,
  type Prefix,
} from '../src/inet/index.ts';
import { toHex } from '../src/mesh/hex.ts';
import type { NodeView } from '../src/mesh/node-interface.ts';
import type { PeerChange } from '../src/wireguard/configuration.ts';
import type { HostPlan } from './schedule.ts';
import type { Invariant, Violation } from './violations.ts';
import type { Belongings, World } from './world.ts';

/** What one host's device has been told, and whom it once reached, in one life. */
interface Life {
  /** WireGuard keys, by prefix. */
  readonly allowedIps: Map<string, string>;
  readonly reached: Set<string>;
}

export class Witness {
  readonly violations: Violation[] = [];
  /** The most nodes that any honest node knew that are not honest. */
  mostStrangers = 0;
  readonly #world: World;
  readonly #lives = new Map<string, Life>();
  readonly #said = new Set<string>();
  #changesSeen = 0;
  #eventsSeen = 0;

  constructor(world: World) {
    this.#world = world;
    world.onKill = (host) => {
      this.look();
      this.#lives.delete(host);
    };
  }

  look(): void {
    this.#readChanges();
    this.#readEvents();
    for (const host of this.#world.schedule.hosts) if (this.#world.network.isRunning(host.name)) this.#lookAt(host);
  }

  #report(invariant: Invariant, text: string): void {
    // Once: what stays wrong is one violation.
    if (this.#said.has(text)) return;
    this.#said.add(text);
    this.violations.push({ invariant, at: this.#world.network.now, text });
  }

  #lookAt({ name }: HostPlan): void {
    const { nodes } = this.#world.network.node(name).status();
    const life = this.#lifeOf(name);
    const honest = [...this.#world.belongings.values()].filter(({ hostName }) => hostName !== name);
    const strangers = nodes.filter(({ nodeId }) => !honest.some((belongings) => belongings.nodeId === nodeId));
    this.mostStrangers = Math.max(this.mostStrangers, strangers.length);
    for (const belongings of honest) {
      const view = nodes.find(({ nodeId }) => nodeId === belongings.nodeId);
      if (view !== undefined) this.#checkOwn(name, view, belongings);
      if (view === undefined && life.reached.has(belongings.hostName)) {
        this.#report('remembered', `${name} has forgotten ${belongings.hostName}`);
      }
      if (view !== undefined && view.path.kind !== 'none') life.reached.add(belongings.hostName);
    }
    for (const view of strangers) {
      for (const belongings of this.#world.belongings.values()) this.#checkStranger(name, view, belongings);
    }
  }

  #checkOwn(name: string, view: NodeView, { hostName, address, wireGuardPublicKey }: Belongings): void {
    if (!addressesEqual(view.address, address)) this.#report('owned', `${name} shows another address of ${hostName}`);
    if (toHex(view.wireGuardPublicKey) !== toHex(wireGuardPublicKey)) {
      this.#report('owned', `${name} shows another key of ${hostName}`);
    }
    if (
      this.#world.isAttacked &&
      view.state === 'up' &&
      view.endpoint !== undefined &&
      this.#isAttackers(view.endpoint)
    ) {
      this.#report(
        'unmoved',
        `${name} reaches ${hostName} at ${formatEndpoint(view.endpoint)}, which is the attacker's`,
      );
    }
    if (view.hostName !== hostName) this.#report('named', `${name} calls ${hostName} ${view.hostName}`);
  }

  #isAttackers({ address, scopeId }: Endpoint): boolean {
    const { network, schedule } = this.#world;
    return schedule.machines.some((machine) => {
      const own = machine.links.includes(scopeId)
        ? network.linkLocalEndpoint(machine.name, scopeId).address
        : machine.address;
      return own !== undefined && addressesEqual(own, address);
    });
  }

  #checkStranger(name: string, view: NodeView, { hostName, address, wireGuardPublicKey }: Belongings): void {
    if (addressesEqual(view.address, address)) this.#report('owned', `${name} shows the address of ${hostName} twice`);
    if (toHex(view.wireGuardPublicKey) === toHex(wireGuardPublicKey)) {
      this.#report('owned', `${name} shows the key of ${hostName} for ${view.hostName}`);
    }
    if (view.hostName === hostName) this.#report('named', `${name} shows the name ${hostName} for somebody else`);
  }

  #readEvents(): void {
    const { network, schedule, belongings } = this.#world;
    for (const { host, event } of network.events.slice(this.#eventsSeen)) {
      const owner = [...belongings.values()].find(({ nodeId }) => nodeId === event.nodeId);
      if (event.kind !== 'identity-contradiction' || owner === undefined || schedule.attacker === 'member') continue;
      if (belongings.has(host)) {
        this.#report('undisputed', `${host} doubts the identity of ${owner.hostName}: ${event.reason}`);
      }
    }
    this.#eventsSeen = network.events.length;
  }

  #readChanges(): void {
    const { network, belongings } = this.#world;
    for (const { host, change } of network.changes.slice(this.#changesSeen)) {
      if (belongings.has(host)) for (const peer of change.peers ?? []) this.#readPeer(host, peer);
    }
    this.#changesSeen = network.changes.length;
  }

  #readPeer(host: string, peer: PeerChange): void {
    const { allowedIps } = this.#lifeOf(host);
    const key = toHex(peer.publicKey);
    const forget = () => {
      for (const [prefix, owner] of allowedIps) if (owner === key) allowedIps.delete(prefix);
    };
    if (peer.remove === true) return forget();
    if (peer.replaceAllowedIps === true) forget();
    for (const { prefix, remove } of peer.allowedIps ?? []) {
      const text = formatPrefix(prefix);
      if (remove !== true) this.#give(host, prefix, key);
      else if (allowedIps.get(text) === key) allowedIps.delete(text);
    }
    for (const prefix of peer.acceptFrom ?? []) this.#checkEntitled(host, prefix, key);
  }

  #give(host: string, prefix: Prefix, key: string): void {
    const { allowedIps } = this.#lifeOf(host);
    const text = formatPrefix(prefix);
    const before = allowedIps.get(text);
    allowedIps.set(text, key);
    this.#checkEntitled(host, prefix, key);
    const owner = this.#ownerOf(before);
    if (owner !== undefined && this.#ownerOf(key) === undefined && isHostPrefix(prefix)) {
      this.#report('owned', `${host} takes ${text} from ${owner} and gives it to somebody else`);
    }
  }

  /** Of an address of the mesh its node alone; of a network whoever is named, where somebody is. */
  #checkEntitled(host: string, prefix: Prefix, key: string): void {
    const owner = this.#ownerOf(key);
    const text = formatPrefix(prefix);
    for (const { hostName, address, offers } of this.#world.belongings.values()) {
      if (owner === hostName) continue;
      const isAddress = formatPrefix(prefixOf(address, 128)) === text;
      const mayOffer = this.#importsOf(host) === 'from any';
      const isNetwork = !mayOffer && offers.some((offer) => formatPrefix(offer) === text);
      if (isAddress || isNetwork)
        this.#report('owned', `${host} gives ${text} of ${hostName} to ${owner ?? 'a stranger'}`);
    }
  }

  #importsOf(host: string): HostPlan['imports'] | undefined {
    return this.#world.schedule.hosts.find(({ name }) => name === host)?.imports;
  }

  #ownerOf(key: string | undefined): string | undefined {
    for (const { hostName, wireGuardPublicKey } of this.#world.belongings.values()) {
      if (toHex(wireGuardPublicKey) === key) return hostName;
    }
    return undefined;
  }

  #lifeOf(host: string): Life {
    let life = this.#lives.get(host);
    if (life === undefined) {
      life = { allowedIps: new Map(), reached: new Set() };
      this.#lives.set(host, life);
    }
    return life;
  }
}
