import { addressFromBytes, formatAddress, parseAddress, type IpAddress } from './address.ts';

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
