import { DONT_FRAGMENT, IPV4, RELAY_HEADER_BYTES } from '../packet/index.ts';
import { TAG, TRANSPORT_HEADER } from '../wireguard/index.ts';

/** Smaller ones IPv6 does not know (RFC 8200 §5); then packets, or the datagrams on the way, are fragmented. */
export const BASE_MTU = 1280;

/** The contents of IPv4's largest datagram (RFC 768, RFC 791 §3.1). */
const LONGEST_DATAGRAM = 65_507;

/**
 * What fits one UDP datagram when it is sealed, whatever the interface's MTU says. A multiple of 16, so padding adds
 * nothing to it (whitepaper §5.4.6).
 */
export const LONGEST_PACKET = (LONGEST_DATAGRAM - TRANSPORT_HEADER - TAG) & ~15;

/**
 * How long a packet may be that goes over relays. Sealed, padded and with the header of a relay packet it must fit the
 * interface's MTU as those packets do that are sealed but once: then datagrams over relays are as long as others.
 */
export function relayedMtu(interfaceMtu: number): number {
  // Rounded down, because inside it is padded to a multiple of 16 (whitepaper §5.4.6).
  const room = interfaceMtu - RELAY_HEADER_BYTES - TRANSPORT_HEADER - TAG;
  return Math.max(BASE_MTU, room & ~15);
}

/** Whether the packet at `offset` may be fragmented on its way: then it is sent however long it is. */
export function mayBeFragmented(bytes: Uint8Array, offset: number): boolean {
  if (bytes[offset] >> 4 !== 4) return false;
  const flags = (bytes[offset + IPV4.flagsAndOffset] << 8) | bytes[offset + IPV4.flagsAndOffset + 1];
  return (flags & DONT_FRAGMENT) === 0;
}
