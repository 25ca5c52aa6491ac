import { IPV4, IPV6, PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from './ip.ts';

/** Before the packet that an error is about (RFC 792, RFC 4443 §3). */
const ICMP_HEADER_BYTES = 8;
/** Types of ICMPv6 below are errors (RFC 4443 §2.1). */
const FIRST_INFORMATIONAL = 128;
const FRAGMENT_OFFSET = 0x1fff;

/**
 * Where the packet lies that the ICMP error at `offset` is about. Behind extension headers no error is looked for, since
 * none comes so (`isOutOfPlace` refuses it).
 * @returns 0 if the packet is no error, -1 if it quotes too little of one
 */
export function quotedPacket(bytes: Uint8Array, offset: number, length: number): number {
  if (bytes[offset] >> 4 === 6) {
    if (bytes[offset + IPV6.nextHeader] !== PROTOCOL_ICMPV6) return 0;
    const type = length > IPV6.end ? bytes[offset + IPV6.end] : FIRST_INFORMATIONAL;
    if (type >= FIRST_INFORMATIONAL) return 0;
    return quotedAt(bytes, offset, length, IPV6.end);
  }
  if (bytes[offset + IPV4.protocol] !== PROTOCOL_ICMP) return 0;
  const flagsAndOffset = (bytes[offset + IPV4.flagsAndOffset] << 8) | bytes[offset + IPV4.flagsAndOffset + 1];
  const icmp = (bytes[offset] & 0x0f) * 4;
  if ((flagsAndOffset & FRAGMENT_OFFSET) !== 0 || icmp >= length) return 0;
  return isIpv4Error(bytes[offset + icmp]) ? quotedAt(bytes, offset, length, icmp) : 0;
}

function quotedAt(bytes: Uint8Array, offset: number, length: number, icmp: number): number {
  const quoted = icmp + ICMP_HEADER_BYTES;
  const version = bytes[offset] >> 4;
  const isWhole = quoted + (version === 6 ? IPV6.end : IPV4.end) <= length;
  return isWhole && bytes[offset + quoted] >> 4 === version ? offset + quoted : -1;
}

/** Destination unreachable, source quench, redirect, time exceeded, parameter problem (RFC 792). */
function isIpv4Error(type: number): boolean {
  return (type >= 3 && type <= 5) || type === 11 || type === 12;
}
