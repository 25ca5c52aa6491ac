/**
 * What rules of nf_tables are made of (nft(8); linux/netfilter/nf_tables.h): each condition loads something of the packet
 * into a register and compares it; the first that does not hold ends the rule. The verdict comes last.
 */
import type { IpAddress, Prefix } from '../../inet/index.ts';
import type { Attribute } from './attributes.ts';

/** `NFTA_LIST_ELEM` of an expression. */
export type Expression = Attribute;

export type Verdict = 'drop' | 'accept' | { readonly goto: string };

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR = { name: 1, data: 2 } as const;
const NFTA_META = { register: 1, key: 2 } as const;
const META_KEY = { mark: 3, iifname: 6, oifname: 7, l4proto: 16 } as const;
const NFTA_PAYLOAD = { register: 1, base: 2, offset: 3, length: 4 } as const;
const PAYLOAD_NETWORK_HEADER = 1;
const PAYLOAD_TRANSPORT_HEADER = 2;
const NFTA_BITWISE = { source: 1, destination: 2, length: 3, mask: 4, xor: 5 } as const;
const NFTA_CMP = { register: 1, operation: 2, data: 3 } as const;
const CMP = { equal: 0, unequal: 1, atLeast: 5, atMost: 3 } as const;
const NFTA_IMMEDIATE = { register: 1, data: 2 } as const;
const NFTA_DATA = { value: 1, verdict: 2 } as const;
const NFTA_VERDICT = { code: 1, chain: 2 } as const;
const VERDICT_CODE = { drop: 0, accept: 1, goto: -4 } as const;
const VERDICT_REGISTER = 0;
const REGISTER = 1;
const IFNAMSIZ = 16;
const ADDRESS_OFFSET = { 4: { source: 12, destination: 16 }, 6: { source: 8, destination: 24 } } as const;

/** The packet came in by the interface `name`, which need not exist. */
export function arrivedOn(name: string): Expression[] {
  return [meta(META_KEY.iifname), compare(CMP.equal, interfaceBytes(name))];
}

/** The packet leaves by the interface `name`, which need not exist. */
export function leavesBy(name: string): Expression[] {
  return [meta(META_KEY.oifname), compare(CMP.equal, interfaceBytes(name))];
}

/** The packet, or the socket that sent it, bears this mark. */
export function bearsMark(mark: number): Expression[] {
  const bytes = new Uint8Array(4);
  // In a register a mark is in the host's order.
  new DataView(bytes.buffer).setUint32(0, mark, true);
  return [meta(META_KEY.mark), compare(CMP.equal, bytes)];
}

/** The source or destination lies in `prefix`. The rule must be in a table of that family. */
export function lies(which: 'source' | 'destination', { address, length }: Prefix): Expression[] {
  if (length === 0) return [];
  const { bytes } = address;
  const load = payload(PAYLOAD_NETWORK_HEADER, ADDRESS_OFFSET[address.family][which], bytes.length);
  if (length === bytes.length * 8) return [load, compare(CMP.equal, bytes)];
  return [load, mask(maskOf(length, bytes.length)), compare(CMP.equal, bytes)];
}

export function is(which: 'source' | 'destination', address: IpAddress): Expression[] {
  return lies(which, { address, length: address.bytes.length * 8 });
}

/** An ICMP or ICMPv6 message of a type from `first` to `last`. */
export function isIcmp(protocol: 1 | 58, first: number, last: number): Expression[] {
  return [
    meta(META_KEY.l4proto),
    compare(CMP.equal, Uint8Array.of(protocol)),
    payload(PAYLOAD_TRANSPORT_HEADER, 0, 1),
    compare(CMP.atLeast, Uint8Array.of(first)),
    compare(CMP.atMost, Uint8Array.of(last)),
  ];
}

/** Counts the packets that get this far in the rule. */
export function counter(): Expression {
  return expression('counter', []);
}

export function verdict(what: Verdict): Expression {
  const code: Attribute[] =
    typeof what === 'string'
      ? [[NFTA_VERDICT.code, VERDICT_CODE[what]]]
      : [
          [NFTA_VERDICT.code, VERDICT_CODE.goto],
          [NFTA_VERDICT.chain, what.goto],
        ];
  return expression('immediate', [
    [NFTA_IMMEDIATE.register, VERDICT_REGISTER],
    [NFTA_IMMEDIATE.data, [[NFTA_DATA.verdict, code]]],
  ]);
}

function expression(name: string, data: readonly Attribute[]): Expression {
  const contents: Attribute[] = data.length === 0 ? [[NFTA_EXPR.name, name]] : [[NFTA_EXPR.name, name], [NFTA_EXPR.data, data]]; // prettier-ignore
  return [NFTA_LIST_ELEM, contents];
}

function meta(key: number): Expression {
  return expression('meta', [
    [NFTA_META.key, key],
    [NFTA_META.register, REGISTER],
  ]);
}

function payload(base: number, offset: number, length: number): Expression {
  return expression('payload', [
    [NFTA_PAYLOAD.register, REGISTER],
    [NFTA_PAYLOAD.base, base],
    [NFTA_PAYLOAD.offset, offset],
    [NFTA_PAYLOAD.length, length],
  ]);
}

function mask(bits: Uint8Array): Expression {
  return expression('bitwise', [
    [NFTA_BITWISE.source, REGISTER],
    [NFTA_BITWISE.destination, REGISTER],
    [NFTA_BITWISE.length, bits.length],
    [NFTA_BITWISE.mask, [[NFTA_DATA.value, bits]]],
    [NFTA_BITWISE.xor, [[NFTA_DATA.value, new Uint8Array(bits.length)]]],
  ]);
}

function compare(operation: number, value: Uint8Array): Expression {
  return expression('cmp', [
    [NFTA_CMP.register, REGISTER],
    [NFTA_CMP.operation, operation],
    [NFTA_CMP.data, [[NFTA_DATA.value, value]]],
  ]);
}

function maskOf(length: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => 0xff00 >> Math.min(8, Math.max(0, length - i * 8)));
}

function interfaceBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(IFNAMSIZ);
  new TextEncoder().encodeInto(name, bytes);
  return bytes;
}
