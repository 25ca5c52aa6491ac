/** What is fixed of an interface: what the caller says, with what it leaves out put in. */
import type { IpAddress } from '../inet/index.ts';
import { DEFAULT_TIMING, NOMINAL_COST, NOMINAL_WIRELESS_COST, type Timing } from './constants.ts';
import type { LinkKind, RttCost } from './metric.ts';

export interface InterfaceOptions {
  /** How the caller names it. */
  readonly id: string;
  /** `wired` and `tunnel` links are up or down; the cost of `wireless` ones follows their loss. */
  readonly kind: LinkKind;
  /** Our link-local address there. */
  readonly address: IpAddress;
  readonly mtu: number;
  /**
   * `multicast`: neighbours are found by their Hellos to the group. `unicast`: the link has no multicast, neighbours are
   * added by `addNeighbour`, and each is a link of its own.
   */
  readonly discovery: 'multicast' | 'unicast';
  /** What receiving costs when nothing is lost. */
  readonly rxcost?: number;
  /** Our IPv4 address there. Left out, IPv4 prefixes are announced with the IPv6 next hop (RFC 9229). */
  readonly ipv4Address?: IpAddress;
  /** Left out, round-trip times are measured and cost nothing. */
  readonly rttCost?: RttCost;
  readonly timing?: Partial<Timing>;
}

export interface Link extends InterfaceOptions {
  readonly rxcost: number;
  readonly timing: Timing;
  readonly maxPacketBytes: number;
}

/** Datagrams of this much payload are always allowed (§4). */
const MIN_PACKET_BYTES = 512;
const IPV6_UDP_HEADERS = 48;

export function linkOf(options: InterfaceOptions): Link {
  const { kind, mtu } = options;
  return {
    ...options,
    rxcost: options.rxcost ?? (kind === 'wireless' ? NOMINAL_WIRELESS_COST : NOMINAL_COST),
    timing: { ...DEFAULT_TIMING, ...options.timing },
    maxPacketBytes: Math.max(MIN_PACKET_BYTES, mtu - IPV6_UDP_HEADERS),
  };
}
