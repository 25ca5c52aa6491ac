import { bytesEqual } from './bytes.ts';

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

/** Reads `192.0.2.1` or `2001:db8::1` (no zone, no short or octal IPv4 forms), or returns `undefined`. */
export function parseAddress(text: string): IpAddress | undefined {
  const bytes = text.includes(':') ? readIpv6(text) : readIpv4(text);
  return bytes === undefined ? undefined : addressFromBytes(Uint8Array.from(bytes));
}

/** The canonical text (RFC 5952 for IPv6), which is also fit to be a map key. */
export function formatAddress({ bytes }: IpAddress): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i] << 8) | bytes[2 * i + 1]);
  // RFC 5952 §5: of the prefixes with an IPv4 address inside, the one that is known by itself.
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0))
    return `::ffff:${bytes.subarray(12).join('.')}`;
  const { start, end } = longestZeros(groups);
  const text = groups.map((group) => group.toString(16));
  if (end - start < 2) return text.join(':');
  return `${text.slice(0, start).join(':')}::${text.slice(end).join(':')}`;
}

export function addressesEqual(a: IpAddress, b: IpAddress): boolean {
  return bytesEqual(a.bytes, b.bytes);
}

/** Whether `address` is an IPv6 link-local unicast address, `fe80::/10` (RFC 4291 §2.5.6). */
export function isLinkLocal(address: IpAddress): boolean {
  return address.family === 6 && address.bytes[0] === 0xfe && (address.bytes[1] & 0xc0) === 0x80;
}

/** Whether `address` means something only together with a link: link-local unicast or multicast (RFC 4007 §4). */
export function hasLinkScope(address: IpAddress): boolean {
  return isLinkLocal(address) || (address.family === 6 && address.bytes[0] === 0xff && (address.bytes[1] & 0x0f) === 2);
}

function readIpv4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return parts.map(Number);
}

function readIpv6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = readGroups(halves[0], halves.length === 1);
  const tail = halves.length === 1 ? [] : readGroups(halves[1], true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  // `::` stands for one group at least (RFC 4291 §2.2).
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** The bytes of groups of hexadecimal digits; the last may be an IPv4 address. */
function readGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    const isIpv4 = mayEndInIpv4 && i === groups.length - 1 && group.includes('.');
    const read = isIpv4 ? readIpv4(group) : readGroup(group);
    if (read === undefined) return undefined;
    bytes.push(...read);
  }
  return bytes;
}

function readGroup(text: string): number[] | undefined {
  if (!/^[0-9a-fA-F]{1,4}$/.test(text)) return undefined;
  const group = parseInt(text, 16);
  return [group >>> 8, group & 0xff];
}

/** The first of the longest runs of zeros. */
function longestZeros(groups: readonly number[]): { start: number; end: number } {
  let longest = { start: 0, end: 0 };
  for (let start = 0, end = 0; start < groups.length; start = end + 1) {
    for (end = start; groups[end] === 0;) end++;
    if (end - start > longest.end - longest.start) longest = { start, end };
  }
  return longest;
}
