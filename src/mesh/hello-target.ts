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
  if (own.reflexive.some(({ address }) => addressesEqual(address, target.address))) return true;
  return own.reflexive.length === 0 && mayBeBehindNat(own.endpoints, target.address.family);
}

/** Who has a public address, or none of the family, is reached at that. */
function mayBeBehindNat(endpoints: readonly Endpoint[], family: 4 | 6): boolean {
  return endpoints.filter(({ address }) => address.family === family).every(({ address }) => isPrivate(address));
}

/** RFC 1918, RFC 6598, RFC 4193. */
function isPrivate({ family, bytes: [first, second] }: IpAddress): boolean {
  if (family === 6) return (first & 0xfe) === 0xfc;
  if (first === 10 || (first === 192 && second === 168)) return true;
  return (first === 172 && second >> 4 === 1) || (first === 100 && second >> 6 === 1);
}
