/** Writes Babel packets (RFC 8966 §4), TLV by TLV until one is full. */
import { addressesEqual, isLinkLocal, type IpAddress, type Prefix } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import { INFINITE } from './constants.ts';
import { impliedRouterId, routerIdBytes, type RouterId } from './router-id.ts';
import {
  AE,
  HEADER,
  MAGIC,
  PREFIX_FLAG,
  ROUTER_ID_FLAG,
  SUB_TLV,
  TLV,
  UNICAST_FLAG,
  VERSION,
  type Retraction,
  type Tlv,
  type Update,
} from './tlv.ts';

const MAX_INTERVAL_CENTISECONDS = 0xffff;

export class PacketWriter {
  readonly #maxBytes: number;
  readonly #body: number[] = [];
  // What a reader will know when it has read so far (§4.5).
  readonly #defaultPrefixes = new Map<number, Uint8Array>();
  readonly #nextHops = new Map<IpAddress['family'], IpAddress>();
  #routerId: RouterId | undefined;

  /** `from`: the address that the packet will be sent from, the next hop of what it announces if nothing else is said. */
  constructor(from: IpAddress, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#nextHops.set(from.family, from);
  }

  get isEmpty(): boolean {
    return this.#body.length === 0;
  }

  /** Adds `tlv`, or leaves the packet as it is and returns false if `reserve` bytes would not be left. */
  add(tlv: Tlv, reserve = 0): boolean {
    const bytes = this.#encode(tlv);
    if (HEADER.end + this.#body.length + bytes.length + reserve > this.#maxBytes) return false;
    this.#body.push(...bytes);
    this.#remember(tlv);
    return true;
  }

  finish(): Uint8Array {
    return Uint8Array.of(MAGIC, VERSION, ...uint16(this.#body.length), ...this.#body);
  }

  #encode(tlv: Tlv): number[] {
    switch (tlv.kind) {
      case 'acknowledgment-request':
        return framed(TLV.acknowledgmentRequest, [0, 0, ...uint16(tlv.opaque), ...interval(tlv.interval)]);
      case 'acknowledgment':
        return framed(TLV.acknowledgment, uint16(tlv.opaque));
      case 'hello': {
        const flags = tlv.isUnicast ? UNICAST_FLAG : 0;
        const timestamp = tlv.timestamp === undefined ? [] : framed(SUB_TLV.timestamp, uint32(tlv.timestamp));
        return framed(TLV.hello, [...uint16(flags), ...uint16(tlv.seqno), ...interval(tlv.interval), ...timestamp]);
      }
      case 'ihu': {
        const { address, rxcost, timestamps } = tlv;
        const { ae, bytes } = address === undefined ? { ae: AE.wildcard, bytes: [] } : encodeAddress(address);
        const sub =
          timestamps === undefined
            ? []
            : framed(SUB_TLV.timestamp, [...uint32(timestamps.origin), ...uint32(timestamps.receive)]);
        return framed(TLV.ihu, [ae, 0, ...uint16(rxcost), ...interval(tlv.interval), ...bytes, ...sub]);
      }
      case 'update':
        return this.#encodeUpdate(tlv);
      case 'retraction':
        return this.#encodeRetraction(tlv);
      case 'route-request':
        if (tlv.prefix === undefined) return framed(TLV.routeRequest, [AE.wildcard, 0]);
        return framed(TLV.routeRequest, [familyEncoding(tlv.prefix), tlv.prefix.length, ...significant(tlv.prefix)]);
      case 'seqno-request': {
        const { prefix, seqno, hopCount, routerId } = tlv;
        const fixed = [familyEncoding(prefix), prefix.length, ...uint16(seqno), hopCount, 0];
        return framed(TLV.seqnoRequest, [...fixed, ...routerIdBytes(routerId), ...significant(prefix)]);
      }
    }
  }

  #encodeUpdate(update: Update): number[] {
    const { prefix, routerId, nextHop, seqno, metric } = update;
    const { ae, omitted, rest } = this.#compress(updateEncoding(update), prefix);
    const before: number[] = [];
    const known = this.#nextHops.get(nextHop.family);
    if (known === undefined || !addressesEqual(known, nextHop)) {
      const encoded = encodeAddress(nextHop);
      before.push(...framed(TLV.nextHop, [encoded.ae, 0, ...encoded.bytes]));
    }
    let flags = PREFIX_FLAG;
    if (routerId !== this.#routerId) {
      if (routerId === impliedRouterId(prefix.address)) flags |= ROUTER_ID_FLAG;
      else before.push(...framed(TLV.routerId, [0, 0, ...routerIdBytes(routerId)]));
    }
    const fixed = [ae, flags, prefix.length, omitted, ...interval(update.interval)];
    return [...before, ...framed(TLV.update, [...fixed, ...uint16(seqno), ...uint16(metric), ...rest])];
  }

  #encodeRetraction({ prefix }: Retraction): number[] {
    // "Will not be repeated": what we no longer have we no longer announce.
    const tail = [...uint16(MAX_INTERVAL_CENTISECONDS), 0, 0, ...uint16(INFINITE)];
    if (prefix === undefined) return framed(TLV.update, [AE.wildcard, 0, 0, 0, ...tail]);
    const { ae, omitted, rest } = this.#compress(familyEncoding(prefix), prefix);
    return framed(TLV.update, [ae, PREFIX_FLAG, prefix.length, omitted, ...tail, ...rest]);
  }

  /** Leaves out the octets that are those of the prefix before (§4.6.9). */
  #compress(ae: number, prefix: Prefix): { ae: number; omitted: number; rest: number[] } {
    const bytes = significant(prefix);
    const defaults = this.#defaultPrefixes.get(ae);
    const differs = defaults === undefined ? 0 : bytes.findIndex((byte, i) => byte !== defaults[i]);
    const omitted = differs < 0 ? bytes.length : differs;
    return { ae, omitted, rest: bytes.slice(omitted) };
  }

  #remember(tlv: Tlv): void {
    if ((tlv.kind !== 'update' && tlv.kind !== 'retraction') || tlv.prefix === undefined) return;
    const ae = tlv.kind === 'update' ? updateEncoding(tlv) : familyEncoding(tlv.prefix);
    this.#defaultPrefixes.set(ae, tlv.prefix.address.bytes);
    if (tlv.kind === 'retraction') return;
    this.#nextHops.set(tlv.nextHop.family, tlv.nextHop);
    this.#routerId = tlv.routerId;
  }
}

function updateEncoding({ prefix, nextHop }: Update): number {
  return prefix.address.family === 4 && nextHop.family === 6 ? AE.v4ViaV6 : familyEncoding(prefix);
}

function familyEncoding({ address }: Prefix): number {
  return address.family === 4 ? AE.ipv4 : AE.ipv6;
}

function significant({ address, length }: Prefix): number[] {
  return [...address.bytes.subarray(0, Math.ceil(length / 8))];
}

function encodeAddress(address: IpAddress): { ae: number; bytes: number[] } {
  if (address.family === 4) return { ae: AE.ipv4, bytes: [...address.bytes] };
  // Only fe80::/64 has the short form.
  const isShort =
    isLinkLocal(address) && address.bytes.subarray(1, 8).every((byte, i) => byte === (i === 0 ? 0x80 : 0));
  if (isShort) return { ae: AE.linkLocal, bytes: [...address.bytes.subarray(8)] };
  return { ae: AE.ipv6, bytes: [...address.bytes] };
}

function framed(type: number, body: readonly number[]): number[] {
  return [type, body.length, ...body];
}

/** As hundredths of seconds, at least one and at most as many as fit; 0 stays 0. */
function interval(length: Millis): number[] {
  return uint16(Math.min(MAX_INTERVAL_CENTISECONDS, Math.ceil(length / 10)));
}

function uint16(value: number): number[] {
  return [value >>> 8, value & 0xff];
}

function uint32(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}
