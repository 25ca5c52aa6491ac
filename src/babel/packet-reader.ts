/**
 * Reads Babel packets (RFC 8966 §4; timestamps of RFC 9616; v4-via-v6 of RFC 9229). What is unknown is passed over, as
 * §4.4 says: a TLV with an unknown mandatory sub-TLV too, such as the source prefixes of RFC 9079. The trailer is not read.
 */
import { addressFromBytes, prefixOf, type IpAddress, type Prefix } from '../inet/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { INFINITE } from './constants.ts';
import { impliedRouterId, routerIdFromBytes, type RouterId } from './router-id.ts';
import {
  AE,
  HEADER,
  LAYOUT,
  MAGIC,
  PREFIX_FLAG,
  ROUTER_ID_FLAG,
  SUB_TLV,
  TLV,
  UNICAST_FLAG,
  VERSION,
  type Tlv,
} from './tlv.ts';

export interface ReadPacket {
  readonly tlvs: readonly Tlv[];
  /** How many TLVs broke a rule of the format. */
  readonly malformed: number;
}

/** A TLV, or why there is none: against the format, or not for us to understand. */
type Outcome = Tlv | 'malformed' | 'ignored';

/** What earlier TLVs of a packet say of later ones (§4.5). */
interface ParserState {
  /** By address encoding. */
  readonly defaultPrefixes: Map<number, Uint8Array>;
  readonly nextHops: Map<IpAddress['family'], IpAddress>;
  routerId: RouterId | undefined;
}

/** Reads a packet that came from the address `from`, or returns `undefined` if it cannot be one. */
export function readPacket(bytes: Uint8Array, from: IpAddress): ReadPacket | undefined {
  if (bytes.length < HEADER.end || bytes[HEADER.magic] !== MAGIC || bytes[HEADER.version] !== VERSION) return undefined;
  const end = HEADER.end + viewOf(bytes).getUint16(HEADER.bodyLength);
  if (end > bytes.length) return undefined;
  const state: ParserState = {
    defaultPrefixes: new Map(),
    nextHops: new Map<IpAddress['family'], IpAddress>([[from.family, from]]),
    routerId: undefined,
  };
  const tlvs: Tlv[] = [];
  let malformed = 0;
  for (let at: number = HEADER.end; at < end;) {
    if (bytes[at] === TLV.pad1) {
      at += 1;
      continue;
    }
    const next = at + 2 + bytes[at + 1];
    // Where the last TLV is cut off, there is no telling where another would begin.
    if (at + 2 > end || next > end) return { tlvs, malformed: malformed + 1 };
    const outcome = readTlv(bytes[at], bytes.subarray(at + 2, next), state);
    if (outcome === 'malformed') malformed += 1;
    else if (outcome !== 'ignored') tlvs.push(outcome);
    at = next;
  }
  return { tlvs, malformed };
}

function readTlv(type: number, body: Uint8Array, state: ParserState): Outcome {
  switch (type) {
    case TLV.acknowledgmentRequest:
      return readAcknowledgmentRequest(body);
    case TLV.acknowledgment:
      return readAcknowledgment(body);
    case TLV.hello:
      return readHello(body);
    case TLV.ihu:
      return readIhu(body);
    case TLV.routerId:
      return readRouterId(body, state);
    case TLV.nextHop:
      return readNextHop(body, state);
    case TLV.update:
      return readUpdate(body, state);
    case TLV.routeRequest:
      return readRouteRequest(body);
    case TLV.seqnoRequest:
      return readSeqnoRequest(body);
    default:
      return 'ignored';
  }
}

function readAcknowledgmentRequest(body: Uint8Array): Outcome {
  const { opaque, interval, end } = LAYOUT.acknowledgmentRequest;
  if (body.length < end) return 'malformed';
  const view = viewOf(body);
  if (view.getUint16(interval) === 0) return 'malformed';
  return withSubTlvs(body.subarray(end), () => ({
    kind: 'acknowledgment-request',
    opaque: view.getUint16(opaque),
    interval: readInterval(view, interval),
  }));
}

function readAcknowledgment(body: Uint8Array): Outcome {
  const { opaque, end } = LAYOUT.acknowledgment;
  if (body.length < end) return 'malformed';
  return withSubTlvs(body.subarray(end), () => ({ kind: 'acknowledgment', opaque: viewOf(body).getUint16(opaque) }));
}

function readHello(body: Uint8Array): Outcome {
  const { flags, seqno, interval, end } = LAYOUT.hello;
  if (body.length < end) return 'malformed';
  const view = viewOf(body);
  return withSubTlvs(body.subarray(end), (timestamp) => ({
    kind: 'hello',
    isUnicast: (view.getUint16(flags) & UNICAST_FLAG) !== 0,
    seqno: view.getUint16(seqno),
    interval: readInterval(view, interval),
    ...(timestamp !== undefined && timestamp.length >= 4 && { timestamp: viewOf(timestamp).getUint32(0) }),
  }));
}

function readIhu(body: Uint8Array): Outcome {
  const { ae, rxcost, interval, address } = LAYOUT.ihu;
  if (body.length < address) return 'malformed';
  const view = viewOf(body);
  const encoding = body[ae];
  if (encoding > AE.linkLocal) return 'ignored';
  const read = readAddress(encoding, body.subarray(address));
  if (view.getUint16(interval) === 0 || (encoding !== AE.wildcard && read === undefined)) return 'malformed';
  return withSubTlvs(body.subarray(address + addressBytes(encoding)), (timestamp) => ({
    kind: 'ihu',
    address: read,
    rxcost: view.getUint16(rxcost),
    interval: readInterval(view, interval),
    ...(timestamp !== undefined && timestamp.length >= 8 && { timestamps: readTimestamps(timestamp) }),
  }));
}

function readTimestamps(body: Uint8Array): { origin: number; receive: number } {
  const view = viewOf(body);
  return { origin: view.getUint32(0), receive: view.getUint32(4) };
}

function readRouterId(body: Uint8Array, state: ParserState): Outcome {
  const { routerId, end } = LAYOUT.routerId;
  if (body.length < end) return 'malformed';
  // An id that nobody may have leaves none, lest announcements be taken for those of the router before.
  state.routerId = routerIdFromBytes(body.subarray(routerId, end));
  return state.routerId === undefined ? 'malformed' : 'ignored';
}

function readNextHop(body: Uint8Array, state: ParserState): Outcome {
  const { ae, address } = LAYOUT.nextHop;
  if (body.length < address) return 'malformed';
  if (body[ae] > AE.linkLocal) return 'ignored';
  const nextHop = readAddress(body[ae], body.subarray(address));
  if (nextHop === undefined) return 'malformed';
  state.nextHops.set(nextHop.family, nextHop);
  return 'ignored';
}

function readUpdate(body: Uint8Array, state: ParserState): Outcome {
  const layout = LAYOUT.update;
  if (body.length < layout.prefix) return 'malformed';
  const view = viewOf(body);
  const ae = body[layout.ae];
  const metric = view.getUint16(layout.metric);
  if (view.getUint16(layout.interval) === 0) return 'malformed';
  if (ae > AE.v4ViaV6) return 'ignored';
  if (ae === AE.wildcard) {
    if (metric !== INFINITE || body[layout.prefixLength] !== 0 || body[layout.omitted] !== 0) return 'malformed';
    return withSubTlvs(body.subarray(layout.prefix), () => ({ kind: 'retraction', prefix: undefined }));
  }
  const form = { ae, length: body[layout.prefixLength], omitted: body[layout.omitted] };
  const prefix = readPrefix(form, body.subarray(layout.prefix), state.defaultPrefixes.get(ae));
  if (prefix === undefined) return 'malformed';
  // The state changes even if the TLV is not for us to understand (§4.5).
  const flags = body[layout.flags];
  if ((flags & PREFIX_FLAG) !== 0) state.defaultPrefixes.set(ae, prefix.address.bytes);
  if ((flags & ROUTER_ID_FLAG) !== 0) state.routerId = impliedRouterId(prefix.address);
  const subTlvs = body.subarray(layout.prefix + prefixBytes(form) - form.omitted);
  if (metric === INFINITE) return withSubTlvs(subTlvs, () => ({ kind: 'retraction', prefix }));
  const { routerId } = state;
  const nextHop = state.nextHops.get(ae === AE.ipv4 ? 4 : 6);
  if (routerId === undefined || nextHop === undefined) return 'malformed';
  return withSubTlvs(subTlvs, () => ({
    ...{ kind: 'update', prefix, routerId, nextHop, metric },
    seqno: view.getUint16(layout.seqno),
    interval: readInterval(view, layout.interval),
  }));
}

function readRouteRequest(body: Uint8Array): Outcome {
  const layout = LAYOUT.routeRequest;
  if (body.length < layout.prefix) return 'malformed';
  const form = { ae: body[layout.ae], length: body[layout.prefixLength], omitted: 0 };
  if (form.ae > AE.v4ViaV6) return 'ignored';
  if (form.ae === AE.wildcard && form.length !== 0) return 'malformed';
  const rest = body.subarray(layout.prefix);
  const prefix = form.ae === AE.wildcard ? undefined : readPrefix(form, rest, undefined);
  if (form.ae !== AE.wildcard && prefix === undefined) return 'malformed';
  return withSubTlvs(rest.subarray(prefixBytes(form)), () => ({ kind: 'route-request', prefix }));
}

function readSeqnoRequest(body: Uint8Array): Outcome {
  const layout = LAYOUT.seqnoRequest;
  if (body.length < layout.prefix) return 'malformed';
  const view = viewOf(body);
  const form = { ae: body[layout.ae], length: body[layout.prefixLength], omitted: 0 };
  if (form.ae > AE.v4ViaV6) return 'ignored';
  const hopCount = body[layout.hopCount];
  const routerId = routerIdFromBytes(body.subarray(layout.routerId, layout.prefix));
  const rest = body.subarray(layout.prefix);
  const prefix = readPrefix(form, rest, undefined);
  if (prefix === undefined || routerId === undefined || hopCount === 0) return 'malformed';
  return withSubTlvs(rest.subarray(prefixBytes(form)), () => ({
    ...{ kind: 'seqno-request', prefix, routerId, hopCount },
    seqno: view.getUint16(layout.seqno),
  }));
}

/** Makes the TLV, if what stands behind its body does not forbid it; `make` is given the body of a Timestamp sub-TLV. */
function withSubTlvs(bytes: Uint8Array, make: (timestamp: Uint8Array | undefined) => Tlv): Outcome {
  let timestamp: Uint8Array | undefined;
  for (let at = 0; at < bytes.length;) {
    const type = bytes[at];
    if (type === SUB_TLV.pad1) {
      at += 1;
      continue;
    }
    if (at + 2 > bytes.length || at + 2 + bytes[at + 1] > bytes.length) return 'malformed';
    // We know of no sub-TLV with the mandatory bit.
    if ((type & SUB_TLV.mandatory) !== 0) return 'ignored';
    const next = at + 2 + bytes[at + 1];
    if (type === SUB_TLV.timestamp) timestamp = bytes.subarray(at + 2, next);
    at = next;
  }
  return make(timestamp);
}

interface PrefixForm {
  readonly ae: number;
  /** In bits. */
  readonly length: number;
  /** Leading octets that are those of the default prefix. */
  readonly omitted: number;
}

/** How many octets the prefix takes, the omitted ones among them. */
function prefixBytes({ length }: PrefixForm): number {
  return Math.ceil(length / 8);
}

function readPrefix(form: PrefixForm, bytes: Uint8Array, defaults: Uint8Array | undefined): Prefix | undefined {
  const { ae, length, omitted } = form;
  const width = ae === AE.ipv6 ? 128 : ae === AE.linkLocal ? 64 : 32;
  const present = prefixBytes(form) - omitted;
  if (ae === AE.wildcard || length > width || present < 0 || present > bytes.length) return undefined;
  if (omitted > 0 && defaults === undefined) return undefined;
  const address = new Uint8Array(width / 8);
  if (defaults !== undefined) address.set(defaults.subarray(0, omitted));
  address.set(bytes.subarray(0, present), omitted);
  if (ae !== AE.linkLocal) return prefixOf(addressFromBytes(address), length);
  return omitted > 0 ? undefined : prefixOf(linkLocal(address), length + 64);
}

function readAddress(ae: number, bytes: Uint8Array): IpAddress | undefined {
  const length = addressBytes(ae);
  if (length === 0 || bytes.length < length) return undefined;
  const own = bytes.slice(0, length);
  return ae === AE.linkLocal ? linkLocal(own) : addressFromBytes(own);
}

function addressBytes(ae: number): number {
  return { [AE.ipv4]: 4, [AE.ipv6]: 16, [AE.linkLocal]: 8 }[ae] ?? 0;
}

/** fe80::/64 and these eight octets. */
function linkLocal(interfaceId: Uint8Array): IpAddress {
  return addressFromBytes(Uint8Array.of(0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...interfaceId));
}

function readInterval(view: DataView, offset: number): Millis {
  return millis(view.getUint16(offset) * 10);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
