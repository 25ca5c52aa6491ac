/** Where a node may be reached: candidates, none of them proved until the tunnel answers. */
import { embeddedIpv4, endpointsEqual, isLinkLocal, type Endpoint } from '../inet/index.ts';
import { after, seconds, type Millis } from '../machine/index.ts';
import { isMeshAddress } from './address.ts';

/** Whether it is one of the underlay, and not the other end of relays. */
export function isDirect(endpoint: Endpoint | undefined): boolean {
  return endpoint !== undefined && !isMeshAddress(endpoint.address);
}

const MAX_HEARD = 4;
const HEARD_TIMEOUT = seconds(600);

/**
 * Whether `endpoint` means the same to others as to the node that names it. Link-local addresses do not, loopback
 * leads back to the reader, whatever clothes it wears, and the mesh's own addresses would put the tunnel inside itself.
 */
export function isWorthDescribing({ address, port }: Pick<Endpoint, 'address' | 'port'>): boolean {
  if (port === 0 || isLinkLocal(address) || isMeshAddress(address)) return false;
  const { bytes } = address;
  if (address.family === 6) {
    const inside = embeddedIpv4(address);
    return bytes[0] !== 0xff && (inside === undefined || isWorthDescribing({ address: inside, port }));
  }
  const isIpv4LinkLocal = bytes[0] === 169 && bytes[1] === 254;
  // 224 and above: multicast, reserved, broadcast.
  return bytes[0] !== 0 && bytes[0] !== 127 && bytes[0] < 224 && !isIpv4LinkLocal;
}

export class Candidates {
  /** Endpoints that the node answered from, the latest first; the only ones that may be link-local. */
  #heard: { readonly endpoint: Endpoint; readonly at: Millis }[] = [];
  #described: readonly Endpoint[] = [];
  /** Where the node answered in an earlier life of ours. */
  #kept: readonly Endpoint[] = [];
  /** By link, 0 for what is routed: when something came from an endpoint that was heard. */
  readonly #unsignedAt = new Map<number, Millis>();

  hear(endpoint: Endpoint, now: Millis): void {
    const others = this.#heard.filter(
      (heard) => !endpointsEqual(heard.endpoint, endpoint) && after(heard.at, HEARD_TIMEOUT) > now,
    );
    this.#heard = [{ endpoint, at: now }, ...others].slice(0, MAX_HEARD);
  }

  /** What is not signed says that somebody is there still, on which link: it makes no address better, and none last longer. */
  noteUnsigned(endpoint: Endpoint, now: Millis): void {
    if (this.hasHeardFrom(endpoint, now)) this.#unsignedAt.set(endpoint.scopeId, now);
  }

  hasHeardFrom(endpoint: Endpoint, now: Millis): boolean {
    return this.#heard.some(
      (heard) => endpointsEqual(heard.endpoint, endpoint) && after(heard.at, HEARD_TIMEOUT) > now,
    );
  }

  /** The node has said, or shown in an earlier life of ours, that it is to be reached there. */
  isDescribed(endpoint: Endpoint): boolean {
    return [...this.#described, ...this.#kept].some((described) => endpointsEqual(described, endpoint));
  }

  keep(endpoints: readonly Endpoint[]): void {
    this.#kept = endpoints.filter(isWorthDescribing);
  }

  /** Where the node has answered, the latest first. */
  get heard(): Endpoint[] {
    return this.#heard.map(({ endpoint }) => endpoint);
  }

  /** The same, lately. */
  heardLately(now: Millis): Endpoint[] {
    return this.#heard.filter(({ at }) => after(at, HEARD_TIMEOUT) > now).map(({ endpoint }) => endpoint);
  }

  get hasHeard(): boolean {
    return this.#heard.length > 0;
  }

  get isEmpty(): boolean {
    return this.#heard.length + this.#described.length + this.#kept.length === 0;
  }

  /** The links on which the node was heard in the last `time`; 0 stands for what is routed. */
  heardOn(time: Millis, now: Millis): number[] {
    const lately = this.#heard.filter(({ at }) => after(at, time) > now);
    const unsigned = [...this.#unsignedAt].filter(([, at]) => after(at, time) > now).map(([link]) => link);
    return [...new Set([...lately.map(({ endpoint }) => endpoint.scopeId), ...unsigned])];
  }

  /** Takes over what the node's description says, in place of what an older one said. */
  describe(endpoints: readonly Endpoint[]): void {
    this.#described = endpoints.filter(isWorthDescribing);
  }

  /** All of them, those first where the node answered last. */
  list(): Endpoint[] {
    const { heard } = this;
    return [...heard, ...without(this.#kept, heard), ...without(this.#described, [...heard, ...this.#kept])];
  }

  /** The same, where an answer of long ago is worth less than a description, and each described one is the first in turn. */
  inTurn(round: number, now: Millis): Endpoint[] {
    const lately = this.heardLately(now);
    const kept = without(this.#kept, lately);
    const described = without(this.#described, [...lately, ...kept]);
    const first = described.length === 0 ? 0 : round % described.length;
    const better = [...lately, ...kept, ...described.slice(first), ...described.slice(0, first)];
    return [...better, ...without(this.list(), better)];
  }
}

function without(endpoints: readonly Endpoint[], others: readonly Endpoint[]): Endpoint[] {
  return endpoints.filter((endpoint) => !others.some((other) => endpointsEqual(other, endpoint)));
}
