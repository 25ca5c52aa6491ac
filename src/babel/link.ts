/** What is fixed of an interface: what the caller says, with what it leaves out put in. */
import type { IpAddress } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { DEFAULT_TIMING, NOMINAL_COST, NOMINAL_WIRELESS_COST, SOURCE_GC_TIME, type Timing } from './constants.ts';
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

/** An IHU promises three of them, in 16 bits of hundredths of seconds. */
const MAX_HELLO_INTERVAL = seconds(200);
/** What is announced must be announced again before its feasibility distance is forgotten. */
const MAX_UPDATE_INTERVAL = millis(SOURCE_GC_TIME / 2);

/** Where nothing else is said, three Hello intervals. */
function smoothingOf({ helloInterval }: Partial<Timing> = {}): Partial<Timing> {
  return helloInterval === undefined ? {} : { smoothingTime: millis(3 * helloInterval) };
}

/** @throws RangeError if an interval is too long to be promised, or for neighbours to be remembered by */
export function linkOf(options: InterfaceOptions): Link {
  const { kind, mtu } = options;
  const timing = { ...DEFAULT_TIMING, ...smoothingOf(options.timing), ...options.timing };
  if (timing.helloInterval > MAX_HELLO_INTERVAL || timing.updateInterval > MAX_UPDATE_INTERVAL) {
    throw new RangeError(`the intervals of ${options.id} are too long`);
  }
  return {
    ...options,
    rxcost: options.rxcost ?? (kind === 'wireless' ? NOMINAL_WIRELESS_COST : NOMINAL_COST),
    timing,
    maxPacketBytes: Math.max(MIN_PACKET_BYTES, mtu - IPV6_UDP_HEADERS),
  };
}
