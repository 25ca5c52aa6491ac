import { addressFromBytes, type IpAddress } from '../inet/index.ts';
import { readRoute, readRule, RTM_DELROUTE, RTM_DELRULE, RTM_NEWROUTE, RTM_NEWRULE, type HostRoute, type HostRule } from './fib-messages.ts'; // prettier-ignore
import { netlinkMessages, type NetlinkMessage } from './netlink-socket.ts';
import { readAttributes, viewOf } from './route-attributes.ts';
import { AF_INET, AF_INET6 } from './socket-address.ts';

/** Messages of rtnetlink(7) and netlink(7), read from bytes. Integers are the host's, little-endian here. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Switched on by the administrator. */
  readonly up: boolean;
  /** Switched on, and with a carrier. */
  readonly running: boolean;
  readonly isLoopback: boolean;
  /** A tunnel, most likely: nobody is beside us on it. */
  readonly isPointToPoint: boolean;
  readonly supportsMulticast: boolean;
  readonly mtu: number;
  /** `bridge`, `veth`, `wireguard`, …; hardware has none. */
  readonly kind?: string;
  /** How many queues programs hold of a TUN or TAP device that was made for several. */
  readonly tunQueues?: number;
}

export interface LinkAddress {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  readonly prefixLength: number;
  /** Duplicate address detection has not ended, or has failed: not usable (RFC 4862 §5.4). */
  readonly isTentative: boolean;
}

export type RouteMessage =
  | { readonly kind: 'link'; readonly removed: boolean; readonly link: Link }
  | { readonly kind: 'address'; readonly removed: boolean; readonly address: LinkAddress }
  | { readonly kind: 'route'; readonly removed: boolean; readonly route: HostRoute; readonly portId: number }
  | { readonly kind: 'rule'; readonly removed: boolean; readonly rule: HostRule; readonly portId: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly errno: number };

const NLMSGHDR = { length: 0, type: 4, flags: 6, sequence: 8, portId: 12, end: 16 } as const;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_DUMP = 0x300;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const IFINFOMSG = { family: 0, index: 4, flags: 8, end: 16 } as const;
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_POINTOPOINT = 0x10;
const IFF_RUNNING = 0x40;
const IFF_MULTICAST = 0x1000;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_INFO_DATA = 2;
const IFLA_TUN_NUM_QUEUES = 8;
const IFLA_TUN_NUM_DISABLED_QUEUES = 9;
const IFLA_INFO_KIND = 1;

const IFADDRMSG = { family: 0, prefixLength: 1, flags: 2, index: 4, end: 8 } as const;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

/** Asks for all links, or all addresses, of the namespace. The answers end with `done`. */
export function dumpRequest(what: 'links' | 'addresses'): Uint8Array {
  const request = new Uint8Array(NLMSGHDR.end + IFINFOMSG.end);
  const view = new DataView(request.buffer);
  view.setUint32(NLMSGHDR.length, request.length, true);
  view.setUint16(NLMSGHDR.type, what === 'links' ? RTM_GETLINK : RTM_GETADDR, true);
  view.setUint16(NLMSGHDR.flags, NLM_F_REQUEST | NLM_F_DUMP, true);
  return request;
}

/** Reads the messages of one datagram; those of no interest here are left out, and so is what is cut off. */
export function readRouteMessages(datagram: Uint8Array): RouteMessage[] {
  return Array.from(netlinkMessages(datagram), readMessage).filter((message) => message !== undefined);
}

function readMessage({ type, portId, contents }: NetlinkMessage): RouteMessage | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const link = readLink(contents);
      return link && { kind: 'link', removed: type === RTM_DELLINK, link };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = readLinkAddress(contents);
      return address && { kind: 'address', removed: type === RTM_DELADDR, address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = readRoute(contents);
      return route && { kind: 'route', removed: type === RTM_DELROUTE, route, portId };
    }
    case RTM_NEWRULE:
    case RTM_DELRULE: {
      const rule = readRule(contents);
      return rule && { kind: 'rule', removed: type === RTM_DELRULE, rule, portId };
    }
    case NLMSG_DONE:
      return { kind: 'done' };
    case NLMSG_ERROR:
      return contents.length < 4 ? undefined : { kind: 'error', errno: -viewOf(contents).getInt32(0, true) };
    default:
      return undefined;
  }
}

function readLink(contents: Uint8Array): Link | undefined {
  // Messages of a bridge about its ports have the same type and another family; they say nothing of the link itself.
  if (contents.length < IFINFOMSG.end || contents[IFINFOMSG.family] !== 0) return undefined;
  const view = viewOf(contents);
  const flags = view.getUint32(IFINFOMSG.flags, true);
  const attributes = readAttributes(contents.subarray(IFINFOMSG.end));
  const name = attributes.get(IFLA_IFNAME);
  const mtu = attributes.get(IFLA_MTU);
  if (name === undefined || mtu === undefined || mtu.length < 4) return undefined;
  const tunQueues = readTunQueues(attributes.get(IFLA_LINKINFO));
  const kind = readKind(attributes.get(IFLA_LINKINFO));
  return {
    index: view.getInt32(IFINFOMSG.index, true),
    name: new TextDecoder().decode(name.subarray(0, name.length - 1)),
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
    isLoopback: (flags & IFF_LOOPBACK) !== 0,
    isPointToPoint: (flags & IFF_POINTOPOINT) !== 0,
    supportsMulticast: (flags & IFF_MULTICAST) !== 0,
    mtu: viewOf(mtu).getUint32(0, true),
    ...(kind !== undefined && { kind }),
    ...(tunQueues !== undefined && { tunQueues }),
  };
}

function readKind(linkInfo: Uint8Array | undefined): string | undefined {
  const kind = linkInfo && readAttributes(linkInfo).get(IFLA_INFO_KIND);
  return kind && new TextDecoder().decode(kind).replace(/\0+$/, '');
}

/** Those that packets go through, and those that their programs have switched off (TUNSETQUEUE). */
function readTunQueues(linkInfo: Uint8Array | undefined): number | undefined {
  if (linkInfo === undefined) return undefined;
  const attributes = readAttributes(linkInfo);
  const [kind, data] = [attributes.get(IFLA_INFO_KIND), attributes.get(IFLA_INFO_DATA)];
  if (kind === undefined || data === undefined || !new TextDecoder().decode(kind).startsWith('tun')) return undefined;
  const details = readAttributes(data);
  const queues = details.get(IFLA_TUN_NUM_QUEUES);
  const disabled = details.get(IFLA_TUN_NUM_DISABLED_QUEUES);
  if (queues?.length !== 4 || disabled?.length !== 4) return undefined;
  return viewOf(queues).getUint32(0, true) + viewOf(disabled).getUint32(0, true);
}

function readLinkAddress(contents: Uint8Array): LinkAddress | undefined {
  if (contents.length < IFADDRMSG.end) return undefined;
  const family = contents[IFADDRMSG.family];
  const attributes = readAttributes(contents.subarray(IFADDRMSG.end));
  // On a point-to-point link IFA_ADDRESS is the other end; IFA_LOCAL is given where the two differ.
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  if (bytes?.length !== (family === AF_INET ? 4 : 16)) return undefined;
  return {
    interfaceIndex: viewOf(contents).getUint32(IFADDRMSG.index, true),
    address: addressFromBytes(bytes.slice()),
    prefixLength: contents[IFADDRMSG.prefixLength],
    isTentative: (contents[IFADDRMSG.flags] & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
  };
}
