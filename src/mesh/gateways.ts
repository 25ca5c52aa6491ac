/**
 * Which node's gateway is used for each network that others offer (DESIGN.md section 5). Told of descriptions and of
 * paths, it says which allowed IPs and which kernel routes there are to be. A WireGuard peer can have a prefix alone, so
 * the gateway in use has it as allowed IP, and whoever else is entitled to it may use its addresses as sources: answers
 * may still come by the old way when the new one is taken.
 *
 * A route stays while an offer stands, whether or not its node can be reached: traffic that was to go through the mesh
 * must not leave the host by another way because a gateway is down.
 */
import { bytesEqual, formatPrefix, isHostPrefix, prefixWithout, type Prefix } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import type { AllowedIpChange, PeerChange } from '../wireguard/configuration.ts';
import { MESH_PREFIX } from './address.ts';
import type { OfferedNetwork } from './description.ts';
import { Destination, type OfferView, type KnownPath } from './destination.ts';
import { entitlementOf, type NetworkPolicy, type OfferRefusal } from './entitlement.ts';

/** The kind of a network that packets are routed to; others (of a later version) are passed over. */
export const ROUTED = 1;
export const MAX_PREFERENCE = 65_535;
export const MAX_DESTINATIONS = 1024;

export type GatewayOutput =
  | { readonly kind: 'configure'; readonly peers: readonly PeerChange[] }
  /** A route of the kernel to the mesh's interface. */
  | { readonly kind: 'route'; readonly prefix: Prefix; readonly isWanted: boolean }
  /** Another gateway is in use. */
  | { readonly kind: 'chosen'; readonly prefix: Prefix; readonly nodeId: string; readonly preference: number }
  /** The gateway in use cannot be reached, and there is no other. */
  | { readonly kind: 'cut'; readonly prefix: Prefix; readonly nodeId: string }
  /** Once for each offer. */
  | { readonly kind: 'refused'; readonly prefix: Prefix; readonly nodeId: string; readonly reason: OfferRefusal };

/** What a node says of itself that matters here. */
export interface Offerer {
  readonly nodeId: string;
  readonly wireGuardPublicKey: Uint8Array;
  readonly networks: readonly OfferedNetwork[];
}

/** An imported network and who leads to it, the best first. */
export interface NetworkView {
  readonly prefix: Prefix;
  readonly offers: readonly OfferView[];
}

/** One that offers something. */
interface Candidate {
  readonly publicKey: Uint8Array;
  readonly networks: readonly OfferedNetwork[];
  readonly entitledTo: ReadonlyMap<string, Prefix>;
  readonly refused: ReadonlyMap<string, OfferRefusal>;
}

export class Gateways {
  readonly #policy: NetworkPolicy;
  readonly #candidates = new Map<string, Candidate>();
  readonly #destinations = new Map<string, Destination>();
  readonly #paths = new Map<string, KnownPath>();
  readonly #output: GatewayOutput[] = [];

  constructor(policy: NetworkPolicy) {
    this.#policy = policy;
  }

  /** A description that is news, of a node that is a peer of the device by now. */
  handleDescription({ nodeId, wireGuardPublicKey: publicKey, networks }: Offerer, now: Millis): void {
    if (networks.length === 0 && !this.#candidates.has(nodeId)) return;
    this.#admit(nodeId, { publicKey, networks }, now);
    this.#reconsider(now);
  }

  /** The node is no peer any more. */
  handleGone(nodeId: string, now: Millis): void {
    const candidate = this.#candidates.get(nodeId);
    if (candidate === undefined) return;
    this.#paths.delete(nodeId);
    this.#candidates.delete(nodeId);
    for (const [key, prefix] of candidate.entitledTo) this.#withdraw(key, nodeId, prefix, now);
    this.#reconsider(now);
  }

  /** How the node can be reached now; `undefined`: it cannot. */
  handlePath(nodeId: string, metric: number | undefined, now: Millis): void {
    const candidate = this.#candidates.get(nodeId);
    const before = this.#paths.get(nodeId);
    if (candidate === undefined || before?.metric === metric) return;
    if (metric === undefined) this.#paths.delete(nodeId);
    else this.#paths.set(nodeId, { metric, since: before?.since ?? now });
    for (const key of candidate.entitledTo.keys()) this.#review(this.#destination(key), now);
  }

  handleTimeout(now: Millis): void {
    for (const destination of this.#destinations.values()) {
      if ((destination.dueAt ?? Infinity) <= now) this.#review(destination, now);
    }
  }

  poll(): GatewayOutput | undefined {
    return this.#output.shift();
  }

  nextTimeout(): Millis | undefined {
    let next = Infinity;
    for (const { dueAt } of this.#destinations.values()) next = Math.min(next, dueAt ?? Infinity);
    return next === Infinity ? undefined : millis(next);
  }

  /** The nodes whose offers are believed, whose paths are to be told. */
  get nodeIds(): Iterable<string> {
    return this.#candidates.keys();
  }

  /** Node ids of gateways in use that there is a substitute for, and of those about to take over: to be probed often. */
  watched(): Set<string> {
    return new Set([...this.#destinations.values()].flatMap((destination) => destination.watched()));
  }

  views(): NetworkView[] {
    return [...this.#destinations.values()].map((destination) => ({
      prefix: destination.prefix,
      offers: destination.views(),
    }));
  }

  /** Takes `networks` for all that the node offers. */
  #admit(nodeId: string, { publicKey, networks }: Pick<Candidate, 'publicKey' | 'networks'>, now: Millis): void {
    const before = this.#candidates.get(nodeId);
    const entitledTo = new Map<string, Prefix>();
    const refused = new Map<string, OfferRefusal>();
    for (const { prefix, kind, preference } of networks) {
      const key = formatPrefix(prefix);
      if (kind !== ROUTED || preference > MAX_PREFERENCE || entitledTo.has(key) || refused.has(key)) continue;
      const reason = this.#refusalOf(nodeId, prefix, key);
      if (reason === undefined) {
        entitledTo.set(key, prefix);
        this.#destinationFor(prefix, key).offer(nodeId, preference);
      } else {
        refused.set(key, reason);
        if (before?.refused.get(key) !== reason) this.#output.push({ kind: 'refused', prefix, nodeId, reason });
      }
    }
    this.#candidates.set(nodeId, { publicKey, networks, entitledTo, refused });
    this.#configureSources(nodeId, before);
    for (const [key, prefix] of before?.entitledTo ?? []) {
      if (!entitledTo.has(key)) this.#withdraw(key, nodeId, prefix, now);
    }
    for (const key of entitledTo.keys()) this.#review(this.#destination(key), now);
  }

  /** Of a node that may use others than `before`, or has another key now and thus is a new peer with nothing at all. */
  #configureSources(nodeId: string, before: Candidate | undefined): void {
    const { publicKey, entitledTo } = this.#candidates.get(nodeId) as Candidate;
    const isRekeyed = before !== undefined && !bytesEqual(before.publicKey, publicKey);
    const had = before?.entitledTo ?? new Map<string, Prefix>();
    const isSame = had.size === entitledTo.size && [...had.keys()].every((key) => entitledTo.has(key));
    if (isSame && !isRekeyed) return;
    this.#configure({ publicKey, acceptFrom: [...entitledTo.values()].flatMap(outsideTheMesh) });
    if (!isRekeyed) return;
    const inUse = [...entitledTo].filter(([key]) => this.#destination(key).inUse === nodeId);
    for (const [, prefix] of inUse) this.#configure({ publicKey, allowedIps: allowedIps(prefix) });
  }

  #refusalOf(nodeId: string, prefix: Prefix, key: string): OfferRefusal | undefined {
    const entitlement = entitlementOf(nodeId, prefix, this.#policy);
    if (entitlement !== 'named' && entitlement !== 'anybody') return entitlement;
    const destination = this.#destinations.get(key);
    if (destination === undefined) return this.#destinations.size < MAX_DESTINATIONS ? undefined : 'offer-table-full';
    // Where anybody is believed, an address is the one's who came first: nobody takes it by a higher preference.
    const isTaken = isHostPrefix(prefix) && destination.nodeIds.some((other) => other !== nodeId);
    return entitlement === 'anybody' && isTaken ? 'offer-of-taken-address' : undefined;
  }

  /** Somebody has given something up, there is room again, or who is named has come for what anybody could have. */
  #reconsider(now: Millis): void {
    for (const [nodeId, candidate] of this.#candidates) {
      const isOtherwiseNow = candidate.networks.some(({ prefix }) => {
        const key = formatPrefix(prefix);
        const isRefused = candidate.refused.has(key);
        if (!isRefused && !candidate.entitledTo.has(key)) return false;
        return isRefused !== (this.#refusalOf(nodeId, prefix, key) !== undefined);
      });
      if (isOtherwiseNow) this.#admit(nodeId, candidate, now);
    }
  }

  #withdraw(key: string, nodeId: string, prefix: Prefix, now: Millis): void {
    const destination = this.#destination(key);
    const wasInUse = destination.inUse === nodeId;
    destination.withdraw(nodeId);
    this.#review(destination, now);
    const publicKey = this.#candidates.get(nodeId)?.publicKey;
    if (wasInUse && destination.inUse === undefined && publicKey !== undefined) {
      this.#configure({ publicKey, allowedIps: allowedIps(prefix, { remove: true }) });
    }
    if (destination.nodeIds.length > 0) return;
    this.#destinations.delete(key);
    if (destination.hasBeenUsed) this.#output.push({ kind: 'route', prefix, isWanted: false });
  }

  #review(destination: Destination, now: Millis): void {
    const hadRoute = destination.hasBeenUsed;
    const change = destination.review(now);
    const { prefix, inUse: nodeId } = destination;
    if (change === undefined || nodeId === undefined) return;
    if (change === 'cut') return void this.#output.push({ kind: 'cut', prefix, nodeId });
    const { publicKey } = this.#candidates.get(nodeId) as Candidate;
    this.#configure({ publicKey, allowedIps: allowedIps(prefix) });
    if (!hadRoute) this.#output.push({ kind: 'route', prefix, isWanted: true });
    this.#output.push({ kind: 'chosen', prefix, nodeId, preference: destination.preferenceOf(nodeId) as number });
  }

  #configure(change: PeerChange): void {
    this.#output.push({ kind: 'configure', peers: [{ updateOnly: true, ...change }] });
  }

  #destinationFor(prefix: Prefix, key: string): Destination {
    const known = this.#destinations.get(key);
    if (known !== undefined) return known;
    const destination = new Destination(prefix, this.#paths);
    this.#destinations.set(key, destination);
    return destination;
  }

  #destination(key: string): Destination {
    return this.#destinations.get(key) as Destination;
  }
}

/** An address in the mesh is its node's alone, also where a gateway leads to all of IPv6. */
function outsideTheMesh(prefix: Prefix): Prefix[] {
  return prefixWithout(prefix, MESH_PREFIX);
}

function allowedIps(prefix: Prefix, change: Pick<AllowedIpChange, 'remove'> = {}): AllowedIpChange[] {
  return outsideTheMesh(prefix).map((part) => ({ prefix: part, ...change }));
}
