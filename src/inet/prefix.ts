import { addressesEqual, addressFromBytes, formatAddress, parseAddress, type IpAddress } from './address.ts';

/** An address prefix; bits behind `length` are zero. */
export interface Prefix {
  readonly address: IpAddress;
  /** In bits, 0–32 or 0–128. */
  readonly length: number;
}

/** Makes a prefix of `address`, with the host bits masked away. */
export function prefixOf(address: IpAddress, length: number): Prefix {
  const width = address.bytes.length * 8;
  if (!Number.isInteger(length) || length < 0 || length > width) {
    throw new RangeError(`a prefix of an IPv${address.family} address has 0 to ${width} bits, not ${length}`);
  }
  const bytes = address.bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - i * 8))));
  return { address: addressFromBytes(bytes), length };
}

/** Reads `10.0.0.0/8`, or an address alone as its host prefix, or returns `undefined`. Host bits are masked. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const width = address.bytes.length * 8;
  if (slash < 0) return prefixOf(address, width);
  const digits = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits) || Number(digits) > width) return undefined;
  return prefixOf(address, Number(digits));
}

/** The canonical text, which is also fit to be a map key. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

export function prefixesEqual(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && addressesEqual(a.address, b.address);
}

/** Whether all of `inner` lies in `outer`; a prefix contains itself. */
export function prefixContains(outer: Prefix, inner: Prefix): boolean {
  if (outer.address.family !== inner.address.family || outer.length > inner.length) return false;
  return addressesEqual(prefixOf(inner.address, outer.length).address, outer.address);
}

/** Whether it is of one address. */
export function isHostPrefix({ address, length }: Prefix): boolean {
  return length === address.bytes.length * 8;
}

/** `prefix` less `hole`: the fewest prefixes that cover all of the one and nothing of the other. */
export function prefixWithout(prefix: Prefix, hole: Prefix): Prefix[] {
  if (prefixContains(hole, prefix)) return [];
  if (!prefixContains(prefix, hole)) return [prefix];
  // On the way from `prefix` down to `hole`, at each bit, the half that is not taken.
  return Array.from({ length: hole.length - prefix.length }, (_, i) => {
    const length = prefix.length + i + 1;
    const bytes = hole.address.bytes.slice();
    bytes[(length - 1) >>> 3] ^= 0x80 >>> ((length - 1) & 7);
    return prefixOf(addressFromBytes(bytes), length);
  });
}
