import { addressFromBytes, formatAddress, hasLinkScope, parseAddress, type IpAddress } from './address.ts';

/** Where a datagram of the underlay goes to or came from. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
  /** Interface index, for link-local and link-multicast addresses only; else 0 (RFC 4007). */
  readonly scopeId: number;
  /**
   * The address of this host that datagrams from there were sent to, if known: answers leave from it, so that a host
   * with several addresses is not taken for somebody else. Not part of an endpoint's identity or text.
   */
  readonly local?: IpAddress | undefined;
}

/** `addr` as an endpoint; an IPv4-mapped IPv6 address becomes the IPv4 address that it stands for. */
export function endpointOf(address: IpAddress, port: number, scopeId = 0): Endpoint {
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`not a port: ${port}`);
  const { bytes } = address;
  const mapped =
    bytes.length === 16 && bytes[10] === 0xff && bytes[11] === 0xff && bytes.subarray(0, 10).every((b) => b === 0);
  if (mapped) return { address: addressFromBytes(bytes.slice(12)), port, scopeId: 0 };
  return { address, port, scopeId: hasLinkScope(address) ? scopeId : 0 };
}

/**
 * Reads `192.0.2.1:51820`, `[2001:db8::1]:51820` or `[fe80::1%3]:51820` (zone as a number), or returns `undefined`.
 * Names of hosts and of interfaces are not resolved here: that needs a host.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)(?:%(\d+))?\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const address = parseAddress(match[1] ?? match[3]);
  const port = Number(match[4]);
  const scopeId = Number(match[2] ?? 0);
  if (address === undefined || port > 65535 || scopeId > 0xffff_ffff) return undefined;
  if (match[1] !== undefined && address.family !== 6) return undefined;
  return endpointOf(address, port, scopeId);
}

/** The canonical text, which is also fit to be a map key. */
export function formatEndpoint({ address, port, scopeId }: Endpoint): string {
  if (address.family === 4) return `${formatAddress(address)}:${port}`;
  return `[${formatAddress(address)}${scopeId === 0 ? '' : `%${scopeId}`}]:${port}`;
}

export function endpointsEqual(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && formatEndpoint(a) === formatEndpoint(b);
}
