/**
 * Sources that no host beyond the link may have (RFC 6890): what bears one and comes out of a tunnel was made to be taken
 * for somebody's on this link or on this host, a router's advertisement for instance.
 */
import { IPV4, IPV6 } from './ip.ts';

/**
 * Whether the source of the packet at `offset` is unspecified, loopback, link-local, multicast, broadcast, reserved, or an
 * IPv4 address in the clothes of IPv6 (`::/16`: RFC 4291 §2.5.5; 64:ff9b::/96 of RFC 6052 is not among them).
 */
export function isNobodysSource(bytes: Uint8Array, offset: number): boolean {
  if (bytes[offset] >> 4 === 4) {
    const [first, second] = [bytes[offset + IPV4.source], bytes[offset + IPV4.source + 1]];
    return first === 0 || first === 127 || first >= 224 || (first === 169 && second === 254);
  }
  const [first, second] = [bytes[offset + IPV6.source], bytes[offset + IPV6.source + 1]];
  return first === 0xff || (first === 0xfe && second >= 0x80 && second <= 0xbf) || (first === 0 && second === 0);
}
