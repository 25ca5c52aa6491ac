/**
 * "Destination unreachable" and "packet too big" in answer to a packet that cannot be sent: ICMPv4 (RFC 792, RFC 1122
 * §3.2.2, RFC 1191 §4, RFC 1812 §4.3.2) and ICMPv6 (RFC 4443 §2.4, §3.1, §3.2).
 */
import { checksumOf, pseudoHeaderSum, sumWords } from './checksum.ts';
import { IPV4, IPV6, PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from './ip.ts';
import { viewOf } from './view.ts';

/**
 * Where the fields of an error message lie behind the IP header, in bytes; then the packet it is about. The MTU has the
 * 32 bits of ICMPv6, and the lower 16 of ICMPv4.
 */
const ICMP = { type: 0, code: 1, checksum: 2, mtu: 4, end: 8 } as const;

/** Type and code of an error in either family, and the MTU that it tells. */
interface IcmpError {
  readonly v4: readonly [type: number, code: number];
  readonly v6: readonly [type: number, code: number];
  readonly mtu: number;
}

const UNREACHABLE: IcmpError = { v4: [3, 1], v6: [1, 3], mtu: 0 };
/** ICMPv4 says "fragmentation needed". */
const TOO_BIG = { v4: [3, 4], v6: [2, 0] } as const;

/** Echo, timestamp and information messages, which may be answered by an error; all other types are errors. */
const QUERIES_V4: ReadonlySet<number> = new Set([0, 8, 13, 14, 15, 16]);
/** Types below are errors (RFC 4443 §2.1). */
const FIRST_QUERY_V6 = 128;

/** Of the packet, an answer holds no more than fits these (RFC 1812 §4.3.2.3; RFC 4443 §2.4 c). */
const LONGEST_V4 = 576;
const LONGEST_V6 = 1280;
const HOP_LIMIT = 64;

/** An answer is never longer. */
export const LONGEST_ICMP_ERROR = LONGEST_V6;

/**
 * Writes to `target` the answer "host unreachable" to the packet of `length` bytes at `offset`, as from its destination.
 * @returns the length of the answer, or 0 if the packet must not be answered: it is an error itself, a later fragment,
 * or for or from many
 */
export function writeUnreachable(bytes: Uint8Array, offset: number, length: number, target: Uint8Array): number {
  return writeError(bytes.subarray(offset, offset + length), UNREACHABLE, target);
}

/** Writes to `target` the answer that `packet` is longer than `mtu`; as `writeUnreachable`. */
export function writePacketTooBig(packet: Uint8Array, mtu: number, target: Uint8Array): number {
  return writeError(packet, { ...TOO_BIG, mtu }, target);
}

function writeError(packet: Uint8Array, error: IcmpError, target: Uint8Array): number {
  const version = packet.length > 0 ? packet[0] >> 4 : 0;
  if (version === 4 && packet.length >= IPV4.end) return mayAnswerV4(packet) ? writeV4(packet, error, target) : 0;
  if (version === 6 && packet.length >= IPV6.end) return mayAnswerV6(packet) ? writeV6(packet, error, target) : 0;
  return 0;
}

function mayAnswerV4(packet: Uint8Array): boolean {
  const isLaterFragment = (((packet[6] & 0x1f) << 8) | packet[7]) !== 0;
  if (isLaterFragment || packet[IPV4.source] >= 0xe0 || packet[IPV4.destination] >= 0xe0) return false;
  if (packet[IPV4.protocol] !== PROTOCOL_ICMP) return true;
  const headerLength = (packet[0] & 0x0f) * 4;
  return packet.length > headerLength && QUERIES_V4.has(packet[headerLength]);
}

function mayAnswerV6(packet: Uint8Array): boolean {
  if (packet[IPV6.source] === 0xff || packet[IPV6.destination] === 0xff) return false;
  if (packet[IPV6.nextHeader] !== PROTOCOL_ICMPV6) return true;
  return packet.length > IPV6.end && packet[IPV6.end] >= FIRST_QUERY_V6;
}

function writeV4(packet: Uint8Array, { v4: [type, code], mtu }: IcmpError, target: Uint8Array): number {
  const quoted = Math.min(packet.length, LONGEST_V4 - IPV4.end - ICMP.end);
  const total = IPV4.end + ICMP.end + quoted;
  const view = viewOf(target);
  target.fill(0, 0, IPV4.end + ICMP.end);
  target[IPV4.versionAndLength] = 0x45;
  view.setUint16(IPV4.totalLength, total);
  target[IPV4.timeToLive] = HOP_LIMIT;
  target[IPV4.protocol] = PROTOCOL_ICMP;
  for (let i = 0; i < 4; i++) {
    target[IPV4.source + i] = packet[IPV4.destination + i];
    target[IPV4.destination + i] = packet[IPV4.source + i];
  }
  view.setUint16(IPV4.checksum, checksumOf(sumWords(view, 0, IPV4.end)));
  target[IPV4.end + ICMP.type] = type;
  target[IPV4.end + ICMP.code] = code;
  view.setUint32(IPV4.end + ICMP.mtu, mtu);
  target.set(packet.subarray(0, quoted), IPV4.end + ICMP.end);
  view.setUint16(IPV4.end + ICMP.checksum, checksumOf(sumWords(view, IPV4.end, total - IPV4.end)));
  return total;
}

function writeV6(packet: Uint8Array, { v6: [type, code], mtu }: IcmpError, target: Uint8Array): number {
  const quoted = Math.min(packet.length, LONGEST_V6 - IPV6.end - ICMP.end);
  const total = IPV6.end + ICMP.end + quoted;
  const view = viewOf(target);
  target.fill(0, 0, IPV6.end + ICMP.end);
  target[0] = 0x60;
  view.setUint16(IPV6.payloadLength, total - IPV6.end);
  target[IPV6.nextHeader] = PROTOCOL_ICMPV6;
  target[IPV6.hopLimit] = HOP_LIMIT;
  for (let i = 0; i < 16; i++) {
    target[IPV6.source + i] = packet[IPV6.destination + i];
    target[IPV6.destination + i] = packet[IPV6.source + i];
  }
  target[IPV6.end + ICMP.type] = type;
  target[IPV6.end + ICMP.code] = code;
  view.setUint32(IPV6.end + ICMP.mtu, mtu);
  target.set(packet.subarray(0, quoted), IPV6.end + ICMP.end);
  const sum = pseudoHeaderSum(view, 0, PROTOCOL_ICMPV6, total - IPV6.end) + sumWords(view, IPV6.end, total - IPV6.end);
  view.setUint16(IPV6.end + ICMP.checksum, checksumOf(sum));
  return total;
}
