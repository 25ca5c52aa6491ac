import type { IpAddress } from '../inet/index.ts';

/** Eight octets that name a router (RFC 8966 §4.1.3), as 16 hexadecimal digits, fit to be a map key. */
export type RouterId = string;

const BYTES = 8;
const FORBIDDEN: readonly RouterId[] = ['0'.repeat(16), 'f'.repeat(16)];

export function isRouterId(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text) && !FORBIDDEN.includes(text);
}

/** Reads eight bytes, or returns `undefined` where they are no router-id. */
export function routerIdFromBytes(bytes: Uint8Array): RouterId | undefined {
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return isRouterId(id) ? id : undefined;
}

export function routerIdBytes(id: RouterId): number[] {
  return Array.from({ length: BYTES }, (_, i) => parseInt(id.slice(2 * i, 2 * i + 2), 16));
}

/**
 * The router-id that an address stands for: its last eight octets, zeros before an IPv4 address (§4.6.9, flag R). That
 * of a node is taken from its address, so announcements of nodes need no Router-Id TLV, and tell whose they claim to be.
 */
export function impliedRouterId({ bytes }: IpAddress): RouterId | undefined {
  const padded = bytes.length < BYTES ? [...new Array<number>(BYTES - bytes.length).fill(0), ...bytes] : bytes;
  return routerIdFromBytes(Uint8Array.from(padded).subarray(-BYTES));
}
