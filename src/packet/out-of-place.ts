/**
 * Packets that have no place inside the tunnels of a mesh: those of a link (neighbour discovery, redirects, what is sent to
 * all on a link), and those whose headers say later that they come from, or go on to, somebody else than the fixed header
 * said, by which alone WireGuard knows whom a packet may come from.
 */
import { IPV4, IPV6, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from './ip.ts';

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;
/** In destination options: "I am really at this address" (RFC 6275 §6.3). */
const HOME_ADDRESS = 0xc9;
const PAD_1 = 0;
/** Router and neighbour solicitations and advertisements, and redirects (RFC 4861 §4). */
const FIRST_DISCOVERY = 133;
const LAST_DISCOVERY = 137;
/** Types of ICMPv6 below are errors (RFC 4443 §2.1). */
const FIRST_INFORMATIONAL = 128;
/** Loose and strict source routes among the options of IPv4 (RFC 791 §3.1). */
const LOOSE_SOURCE_ROUTE = 131;
const STRICT_SOURCE_ROUTE = 137;
const END_OF_OPTIONS = 0;
const NO_OPERATION = 1;
/** More extension headers than anybody needs: each kind once, destination options twice (RFC 8200 §4.1). */
const MAX_EXTENSIONS = 8;

/** Whether the packet of `length` bytes at `offset` is one of these. Allocates nothing, and looks at usual ones briefly. */
export function isOutOfPlace(bytes: Uint8Array, offset: number, length: number): boolean {
  if (bytes[offset] >> 4 === 4) return isIpv4OutOfPlace(bytes, offset, length);
  const destination = bytes[offset + IPV6.destination];
  if (destination === 0xff || (destination === 0xfe && bytes[offset + IPV6.destination + 1] >> 6 === 2)) return true;
  const next = bytes[offset + IPV6.nextHeader];
  if (next === PROTOCOL_TCP || next === PROTOCOL_UDP) return false;
  return isBehindOutOfPlace(bytes, offset, length);
}

function isIpv4OutOfPlace(bytes: Uint8Array, offset: number, length: number): boolean {
  const destination = bytes[offset + IPV4.destination];
  if (destination >= 224 || (destination === 169 && bytes[offset + IPV4.destination + 1] === 254)) return true;
  const headerEnd = (bytes[offset] & 0x0f) * 4;
  if (headerEnd > length) return true;
  for (let at: number = IPV4.end; at < headerEnd;) {
    const option = bytes[offset + at];
    if (option === LOOSE_SOURCE_ROUTE || option === STRICT_SOURCE_ROUTE) return true;
    if (option === END_OF_OPTIONS) return false;
    at += option === NO_OPERATION ? 1 : Math.max(2, bytes[offset + at + 1]);
  }
  return false;
}

/** Follows the extension headers of IPv6. What lies in later fragments nobody reads as a header before it is put together. */
function isBehindOutOfPlace(bytes: Uint8Array, offset: number, length: number): boolean {
  let next = bytes[offset + IPV6.nextHeader];
  let at: number = IPV6.end;
  for (let i = 0; i < MAX_EXTENSIONS; i++) {
    if (next === ROUTING) return true;
    if (next === PROTOCOL_ICMPV6) return at < length && isIcmpOutOfPlace(bytes[offset + at], at);
    if (next !== HOP_BY_HOP && next !== DESTINATION_OPTIONS && next !== FRAGMENT) return false;
    if (at + 8 > length) return true;
    const end = next === FRAGMENT ? at + 8 : at + 8 * (bytes[offset + at + 1] + 1);
    if (next === FRAGMENT && ((bytes[offset + at + 2] << 8) | bytes[offset + at + 3]) >> 3 !== 0) return false;
    if (end > length) return true;
    if (next === DESTINATION_OPTIONS && hasHomeAddress(bytes, offset + at + 2, offset + end)) return true;
    next = bytes[offset + at];
    at = end;
  }
  return true;
}

/** An error comes right behind the fixed header, or is made to be overlooked (`quotedPacket`). */
function isIcmpOutOfPlace(type: number, at: number): boolean {
  return (type >= FIRST_DISCOVERY && type <= LAST_DISCOVERY) || (type < FIRST_INFORMATIONAL && at > IPV6.end);
}

function hasHomeAddress(bytes: Uint8Array, from: number, end: number): boolean {
  for (let at = from; at < end;) {
    if (bytes[at] === HOME_ADDRESS) return true;
    at += bytes[at] === PAD_1 ? 1 : 2 + bytes[at + 1];
  }
  return false;
}
