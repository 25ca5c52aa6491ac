/**
 * What a Babel packet says (RFC 8966 §4), with what is implied put in: Router-Id and Next Hop TLVs, omitted octets and
 * padding are matters of `packet-reader.ts` and `packet-writer.ts`. Intervals are multiples of 10 ms.
 */
import type { IpAddress, Prefix } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { RouterId } from './router-id.ts';

export interface AcknowledgmentRequest {
  readonly kind: 'acknowledgment-request';
  readonly opaque: number;
  readonly interval: Millis;
}

export interface Acknowledgment {
  readonly kind: 'acknowledgment';
  readonly opaque: number;
}

export interface Hello {
  readonly kind: 'hello';
  readonly isUnicast: boolean;
  readonly seqno: number;
  /** 0 is a Hello that promises no other. */
  readonly interval: Millis;
  /** Microseconds of the sender's clock, modulo 2^32 (RFC 9616). */
  readonly timestamp?: number;
}

export interface Ihu {
  readonly kind: 'ihu';
  /** Whom it is for; left out, whoever receives it. */
  readonly address: IpAddress | undefined;
  readonly rxcost: number;
  readonly interval: Millis;
  /** Of the last Hello that the sender heard: by the clock of who sent it, and of who heard it (RFC 9616). */
  readonly timestamps?: { readonly origin: number; readonly receive: number };
}

export interface Update {
  readonly kind: 'update';
  readonly prefix: Prefix;
  readonly routerId: RouterId;
  /** IPv6 for an IPv4 prefix is v4-via-v6 (RFC 9229). */
  readonly nextHop: IpAddress;
  readonly seqno: number;
  /** Finite. */
  readonly metric: number;
  readonly interval: Millis;
}

/** An Update of infinite metric. */
export interface Retraction {
  readonly kind: 'retraction';
  /** Left out, all routes that the sender has announced. */
  readonly prefix: Prefix | undefined;
}

export interface RouteRequest {
  readonly kind: 'route-request';
  /** Left out, all routes. */
  readonly prefix: Prefix | undefined;
}

export interface SeqnoRequest {
  readonly kind: 'seqno-request';
  readonly prefix: Prefix;
  readonly routerId: RouterId;
  readonly seqno: number;
  readonly hopCount: number;
}

export type Tlv =
  AcknowledgmentRequest | Acknowledgment | Hello | Ihu | Update | Retraction | RouteRequest | SeqnoRequest;

/** §5 */
export const TLV = {
  pad1: 0,
  padN: 1,
  acknowledgmentRequest: 2,
  acknowledgment: 3,
  hello: 4,
  ihu: 5,
  routerId: 6,
  nextHop: 7,
  update: 8,
  routeRequest: 9,
  seqnoRequest: 10,
} as const;

export const SUB_TLV = { pad1: 0, timestamp: 3, mandatory: 0x80 } as const;

/** Address encodings (§4.1.4, RFC 9229). */
export const AE = { wildcard: 0, ipv4: 1, ipv6: 2, linkLocal: 3, v4ViaV6: 4 } as const;

export const UNICAST_FLAG = 0x8000;
export const PREFIX_FLAG = 0x80;
export const ROUTER_ID_FLAG = 0x40;

/** §4.2, in bytes. */
export const HEADER = { magic: 0, version: 1, bodyLength: 2, end: 4 } as const;
export const MAGIC = 42;
export const VERSION = 2;

/** Where the fields of TLVs lie behind type and length (§4.6), in bytes. Integers are big-endian. */
export const LAYOUT = {
  acknowledgmentRequest: { opaque: 2, interval: 4, end: 6 },
  acknowledgment: { opaque: 0, end: 2 },
  hello: { flags: 0, seqno: 2, interval: 4, end: 6 },
  ihu: { ae: 0, rxcost: 2, interval: 4, address: 6 },
  routerId: { routerId: 2, end: 10 },
  nextHop: { ae: 0, address: 2 },
  update: { ae: 0, flags: 1, prefixLength: 2, omitted: 3, interval: 4, seqno: 6, metric: 8, prefix: 10 },
  routeRequest: { ae: 0, prefixLength: 1, prefix: 2 },
  seqnoRequest: { ae: 0, prefixLength: 1, seqno: 2, hopCount: 4, routerId: 6, prefix: 14 },
} as const;
