/** Routes and rules as rtnetlink(7) has them (linux/rtnetlink.h, linux/fib_rules.h). */
import { addressFromBytes, prefixOf, type IpAddress, type Prefix } from '../inet/index.ts';
import { readAttributes, viewOf, type RouteAttributes } from './route-attributes.ts';
import type { Rule } from './rule.ts';
import { AF_INET, AF_INET6 } from './socket-address.ts';

/** A route of any table. */
export interface HostRoute {
  readonly prefix: Prefix;
  readonly table: number;
  readonly protocol: number;
  /** Where it leads: missing where it leads nowhere, or to several places. */
  readonly interfaceIndex?: number;
  /** The address that packets of this host come from, where the route says so. */
  readonly source?: IpAddress;
}

export interface HostRule {
  readonly family: 4 | 6;
  readonly protocol: number;
  /** Missing where the rule asks for more than `Rule` can say. */
  readonly rule?: Rule;
}

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
const RTM_GETRULE = 34;

const NLMSGHDR = { length: 0, type: 4, flags: 6, end: 16 } as const;
const NLM_F_REQUEST_DUMP = 0x1 | 0x300;

const RTMSG = { family: 0, destinationLength: 1, table: 4, protocol: 5, flags: 8, end: 12 } as const;
/** Not a route of a table, but what became of one for one packet. */
const RTM_F_CLONED = 0x200;
const RTA = { destination: 1, outInterface: 4, source: 7, table: 15 } as const;

const FIB_RULE = { family: 0, destinationLength: 1, sourceLength: 2, tos: 3, table: 4, action: 7, flags: 8, end: 12 } as const; // prettier-ignore
const FR_ACT_TO_TABLE = 1;
const FIB_RULE_INVERT = 0x2;
const FRA = {
  destination: 1,
  priority: 6,
  mark: 10,
  suppressPrefixLength: 14,
  table: 15,
  markMask: 16,
  padding: 18,
  protocol: 21,
  ipProtocol: 22,
  sourcePorts: 23,
  sourcePortMask: 28,
} as const;
/** Of a rule whose table's routes are all good, however short. */
const SUPPRESS_NONE = 0xffff_ffff;
const SUPPRESS_GROUP = 13;
const ALL_BITS = 0xffff_ffff;
const UDP = 17;
const KNOWN = new Set<number>([...Object.values(FRA), SUPPRESS_GROUP]);

/** Asks for the routes of a family that lead to an interface: older kernels (before 4.20) answer with all routes. */
export function routesRequest(family: 4 | 6, interfaceIndex: number): Uint8Array {
  const request = dumpOf(RTM_GETROUTE, family, RTMSG.end + 8);
  const view = viewOf(request);
  const attribute = NLMSGHDR.end + RTMSG.end;
  view.setUint16(attribute, 8, true);
  view.setUint16(attribute + 2, RTA.outInterface, true);
  view.setUint32(attribute + 4, interfaceIndex, true);
  return request;
}

/** Asks for all rules of a family. */
export function rulesRequest(family: 4 | 6): Uint8Array {
  return dumpOf(RTM_GETRULE, family, FIB_RULE.end);
}

function dumpOf(type: number, family: 4 | 6, length: number): Uint8Array {
  const request = new Uint8Array(NLMSGHDR.end + length);
  const view = viewOf(request);
  view.setUint32(NLMSGHDR.length, request.length, true);
  view.setUint16(NLMSGHDR.type, type, true);
  view.setUint16(NLMSGHDR.flags, NLM_F_REQUEST_DUMP, true);
  view.setUint8(NLMSGHDR.end, family === 4 ? AF_INET : AF_INET6);
  return request;
}

export function readRoute(contents: Uint8Array): HostRoute | undefined {
  if (contents.length < RTMSG.end) return undefined;
  const family = familyOf(contents[RTMSG.family]);
  if (family === undefined || (viewOf(contents).getUint32(RTMSG.flags, true) & RTM_F_CLONED) !== 0) return undefined;
  const attributes = readAttributes(contents.subarray(RTMSG.end));
  const prefix = prefixIn(attributes.get(RTA.destination), contents[RTMSG.destinationLength], family);
  if (prefix === undefined) return undefined;
  const interfaceIndex = numberIn(attributes, RTA.outInterface);
  const source = addressIn(attributes.get(RTA.source), family);
  return {
    prefix,
    table: numberIn(attributes, RTA.table) ?? contents[RTMSG.table],
    protocol: contents[RTMSG.protocol],
    ...(interfaceIndex !== undefined && { interfaceIndex }),
    ...(source && { source }),
  };
}

export function readRule(contents: Uint8Array): HostRule | undefined {
  if (contents.length < FIB_RULE.end) return undefined;
  const family = familyOf(contents[FIB_RULE.family]);
  if (family === undefined) return undefined;
  const attributes = readAttributes(contents.subarray(FIB_RULE.end));
  const protocol = attributes.get(FRA.protocol)?.[0] ?? 0;
  const rule = ruleIn(contents, attributes, family, protocol);
  return { family, protocol, ...(rule && { rule }) };
}

function ruleIn(header: Uint8Array, attributes: RouteAttributes, family: 4 | 6, protocol: number): Rule | undefined {
  if (header[FIB_RULE.action] !== FR_ACT_TO_TABLE || header[FIB_RULE.sourceLength] !== 0) return undefined;
  if (header[FIB_RULE.tos] !== 0 || [...attributes.keys()].some((kind) => !KNOWN.has(kind))) return undefined;
  const suppressed = numberIn(attributes, FRA.suppressPrefixLength) ?? SUPPRESS_NONE;
  const mark = numberIn(attributes, FRA.mark);
  const isInverted = (viewOf(header).getUint32(FIB_RULE.flags, true) & FIB_RULE_INVERT) !== 0;
  const ports = attributes.get(FRA.sourcePorts);
  const port = ports?.length === 4 ? viewOf(ports).getUint16(0, true) : undefined;
  const length = header[FIB_RULE.destinationLength];
  const to = length === 0 ? undefined : prefixIn(attributes.get(FRA.destination), length, family);
  const isSayable =
    (suppressed === SUPPRESS_NONE || suppressed === 0) &&
    isInverted === (mark !== undefined) &&
    (mark === undefined || numberIn(attributes, FRA.markMask) === ALL_BITS) &&
    attributes.has(FRA.ipProtocol) === (port !== undefined) &&
    (port === undefined || attributes.get(FRA.ipProtocol)?.[0] === UDP) &&
    isWhole(attributes.get(FRA.sourcePortMask));
  if (!isSayable) return undefined;
  return {
    priority: numberIn(attributes, FRA.priority) ?? 0,
    table: numberIn(attributes, FRA.table) ?? header[FIB_RULE.table],
    protocol,
    ...(suppressed === 0 && { withoutDefault: true }),
    ...(to && { to }),
    ...(mark !== undefined && { unlessMark: mark }),
    ...(port !== undefined && { udpSourcePort: port }),
  };
}

/** Linux 6.15 and later say of a port how many of its bits count. */
function isWhole(mask: Uint8Array | undefined): boolean {
  return mask === undefined || mask.every((byte) => byte === 0xff);
}

function familyOf(family: number): 4 | 6 | undefined {
  if (family === AF_INET) return 4;
  return family === AF_INET6 ? 6 : undefined;
}

/** A default route has no destination. */
function prefixIn(bytes: Uint8Array | undefined, length: number, family: 4 | 6): Prefix | undefined {
  const size = family === 4 ? 4 : 16;
  if (length > size * 8 || (bytes === undefined && length > 0)) return undefined;
  const address = bytes === undefined ? addressFromBytes(new Uint8Array(size)) : addressIn(bytes, family);
  return address && prefixOf(address, length);
}

function addressIn(bytes: Uint8Array | undefined, family: 4 | 6): IpAddress | undefined {
  return bytes?.length === (family === 4 ? 4 : 16) ? addressFromBytes(bytes.slice()) : undefined;
}

function numberIn(attributes: RouteAttributes, kind: number): number | undefined {
  const bytes = attributes.get(kind);
  return bytes?.length === 4 ? viewOf(bytes).getUint32(0, true) : undefined;
}
