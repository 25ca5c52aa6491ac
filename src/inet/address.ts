import ipaddr from 'ipaddr.js';

/** An IP address as it stands on the wire: 4 or 16 bytes, network order. Values are not changed once made. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly bytes: Uint8Array;
}

export function addressFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new RangeError(`an IP address has 4 or 16 bytes, not ${bytes.length}`);
  return { family: bytes.length === 4 ? 4 : 6, bytes };
}

/** Reads `192.0.2.1` or `2001:db8::1` (no zone, no short IPv4 forms), or returns `undefined`. */
export function parseAddress(text: string): IpAddress | undefined {
  if (text.includes('%')) return undefined;
  if (!text.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(text)) return undefined;
  if (!ipaddr.isValid(text)) return undefined;
  return addressFromBytes(Uint8Array.from(ipaddr.parse(text).toByteArray()));
}

/** The canonical text (RFC 5952 for IPv6), which is also fit to be a map key. */
export function formatAddress(address: IpAddress): string {
  const parsed = ipaddr.fromByteArray(Array.from(address.bytes));
  return parsed.kind() === 'ipv6' ? (parsed as ipaddr.IPv6).toRFC5952String() : parsed.toString();
}

export function addressesEqual(a: IpAddress, b: IpAddress): boolean {
  return a.bytes.length === b.bytes.length && a.bytes.every((byte, i) => byte === b.bytes[i]);
}

/** Whether `address` is an IPv6 link-local unicast address, `fe80::/10` (RFC 4291 §2.5.6). */
export function isLinkLocal(address: IpAddress): boolean {
  return address.family === 6 && address.bytes[0] === 0xfe && (address.bytes[1] & 0xc0) === 0x80;
}

/** Whether `address` means something only together with a link: link-local unicast or multicast (RFC 4007 §4). */
export function hasLinkScope(address: IpAddress): boolean {
  return isLinkLocal(address) || (address.family === 6 && address.bytes[0] === 0xff && (address.bytes[1] & 0x0f) === 2);
}
