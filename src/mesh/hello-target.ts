/**
 * Whether a signed Hello came the straight way. Its signature says who sent it and to which endpoint; a stranger who has us
 * and the node each take him for the other passes it on, and then the endpoint is his. An endpoint that we can know for
 * ours, or a source that the node itself or our administrator names, is no stranger's.
 */
import { addressesEqual, endpointsEqual, isLinkLocal, type Endpoint, type IpAddress } from '../inet/index.ts';

/** What a node knows of where it is. */
export interface OwnPlace {
  /** Its own endpoints on the routed network, and its addresses on each link. */
  readonly endpoints: readonly Endpoint[];
  readonly linkAddresses: ReadonlyMap<number, readonly IpAddress[]>;
  /** Endpoints at which others see it, who are authenticated. */
  readonly reflexive: readonly Endpoint[];
}

/** `isNamed`: the source is in the node's description, told by it inside the tunnel, or in our configuration. */
export function isStraight(from: Endpoint, target: Endpoint | undefined, own: OwnPlace, isNamed: boolean): boolean {
  if (target === undefined) return false;
  if (isLinkLocal(from.address)) {
    const addresses = own.linkAddresses.get(from.scopeId) ?? [];
    return addresses.some((address) => addressesEqual(address, target.address));
  }
  if (isNamed) return true;
  if (own.endpoints.some((endpoint) => endpointsEqual(endpoint, target))) return true;
  // Nobody is where we are, unless behind the same NAT, and then by another name.
  if (addressesEqual(from.address, target.address)) return false;
  // A NAT may give each of our destinations a port of its own (RFC 4787 §4.1), seldom an address of its own.
  return own.reflexive.some(({ address }) => addressesEqual(address, target.address));
}
