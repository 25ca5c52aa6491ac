import { checksumOf, foldSum, pseudoHeaderSum, sumWords } from './checksum.ts';
import { plainChecksums, type Checksums } from './checksums.ts';
import { DONT_FRAGMENT, IPV4, IPV6, PROTOCOL_TCP } from './ip.ts';
import { ACK, CWR, ECE, PSH, TCP } from './tcp.ts';
import { viewOf } from './view.ts';
import { GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, NEEDS_CHECKSUM, type VirtioHeader } from './virtio.ts';

/** What became of a packet that was added. */
export const OPENED = 0;
export const EXTENDED = 1;
export const REFUSED = 2;

/** Packets that one group can hold; a train of datagrams is not longer. */
export const MAX_PIECES = 64;

const LARGEST_PACKET = 65_535;

/** A packet as the coalescer sees it. Positions from its start. */
interface Candidate {
  transport: number;
  headers: number;
  payload: number;
}

/**
 * Puts TCP segments that lie one after the other in a flow together into one large packet. Nothing is copied: a group
 * is a list of pieces of the buffer, the first one the whole first packet, the others payload alone.
 *
 * Segments join only if cutting the large packet again would give back the very same ones. So congestion marks (ECE, and
 * RFC 9768's AE) must agree, and "window reduced" (CWR) may stand in the first alone: whoever cuts takes it from the others
 * (RFC 3168 §6.1.2). Accurate ECN uses it as a bit of a counter that all have, and virtio has no word for that
 * (SKB_GSO_TCP_ACCECN of Linux 6.15): such segments are passed on one by one, as UDP is, rather than with a wrong counter.
 */
export class Coalescer {
  readonly pieceOffsets = new Int32Array(MAX_PIECES);
  readonly pieceLengths = new Int32Array(MAX_PIECES);
  #count = 0;
  /** Whether something may be added behind what is there. */
  #isOpen = false;
  #isVerified = false;
  #hasPush = false;
  #length = 0;
  #nextSequence = 0;
  readonly #first: Candidate = { transport: 0, headers: 0, payload: 0 };
  readonly #next: Candidate = { transport: 0, headers: 0, payload: 0 };
  readonly #checksums: Checksums;

  constructor(checksums: Checksums = plainChecksums) {
    this.#checksums = checksums;
  }

  /**
   * Adds the packet of `length` bytes at `offset`; `bytes` must be the same, and unchanged, until `finish`.
   * @returns `OPENED`, `EXTENDED`, or `REFUSED`: then finish the group and add the packet again
   */
  add(bytes: Uint8Array, offset: number, length: number): number {
    const view = viewOf(bytes);
    if (this.#count === 0) {
      this.#open(view, offset, length);
      return OPENED;
    }
    if (!this.#isOpen || this.#count === MAX_PIECES) return REFUSED;
    const next = this.#next;
    if (!readSegment(view, offset, length, next) || !this.#fits(view, offset, next)) return REFUSED;
    if (!this.#isVerified) {
      if (!this.#hasRightChecksum(bytes, this.pieceOffsets[0], this.pieceLengths[0], this.#first)) return REFUSED;
      this.#isVerified = true;
    }
    if (!this.#hasRightChecksum(bytes, offset, length, next)) return REFUSED;
    this.#extend(view, offset, next);
    return EXTENDED;
  }

  /**
   * Ends the group: patches the first packet's headers in place and fills in `header`. A packet that stayed alone is
   * passed on as it came. @returns the number of pieces, 0 if there is no group
   */
  finish(bytes: Uint8Array, header: VirtioHeader): number {
    const count = this.#count;
    this.#count = 0;
    header.flags = 0;
    header.gsoType = GSO_NONE;
    header.headerLength = header.gsoSize = header.checksumStart = header.checksumOffset = 0;
    if (count > 1) this.#patch(viewOf(bytes), header);
    return count;
  }

  #open(view: DataView, offset: number, length: number): void {
    this.pieceOffsets[0] = offset;
    this.pieceLengths[0] = length;
    this.#count = 1;
    this.#length = length;
    this.#isVerified = false;
    this.#isOpen = readSegment(view, offset, length, this.#first);
    if (!this.#isOpen) return;
    const transport = offset + this.#first.transport;
    this.#nextSequence = (view.getUint32(transport + TCP.sequence) + this.#first.payload) >>> 0;
    this.#hasPush = (view.getUint8(transport + TCP.flags) & PSH) !== 0;
    // A pushed segment ends a large packet: cutting gives the flag to the last segment alone.
    this.#isOpen = !this.#hasPush;
  }

  #extend(view: DataView, offset: number, next: Candidate): void {
    this.pieceOffsets[this.#count] = offset + next.headers;
    this.pieceLengths[this.#count] = next.payload;
    this.#count++;
    this.#length += next.payload;
    this.#nextSequence = (this.#nextSequence + next.payload) >>> 0;
    this.#hasPush = (view.getUint8(offset + next.transport + TCP.flags) & PSH) !== 0;
    this.#isOpen = !this.#hasPush && next.payload === this.#first.payload;
  }

  /**
   * A large packet is handed on with a partial checksum, which says that it was right: so it must have been, and for
   * each segment. The tunnel's authentication does not say so, the packet may have been broken before it came to the peer.
   */
  #hasRightChecksum(bytes: Uint8Array, offset: number, length: number, { transport }: Candidate): boolean {
    const transportLength = length - transport;
    const pseudoHeader = pseudoHeaderSum(viewOf(bytes), offset, PROTOCOL_TCP, transportLength);
    return foldSum(pseudoHeader + this.#checksums.sum(bytes, offset + transport, transportLength)) === 0xffff;
  }

  /** Whether the segment at `offset` is the one that follows in the group's flow. */
  #fits(view: DataView, offset: number, next: Candidate): boolean {
    const first = this.#first;
    if (next.headers !== first.headers || next.transport !== first.transport) return false;
    if (next.payload > first.payload || this.#length + next.payload > LARGEST_PACKET) return false;
    const transport = offset + next.transport;
    if (view.getUint32(transport + TCP.sequence) !== this.#nextSequence) return false;
    if ((view.getUint8(transport + TCP.flags) & CWR) !== 0) return false;
    const start = this.pieceOffsets[0];
    const isSameIp =
      view.getUint8(start) >> 4 === 4 ? this.#isSameIpv4(view, start, offset) : isSameIpv6(view, start, offset);
    return isSameIp && isSameTcp(view, start + first.transport, transport, next.headers - next.transport);
  }

  #isSameIpv4(view: DataView, a: number, b: number): boolean {
    // Cutting counts the identification up; where fragments are forbidden nobody looks at it (RFC 6864 §4.1).
    const flags = view.getUint16(b + IPV4.flagsAndOffset);
    const expected = (view.getUint16(a + IPV4.identification) + this.#count) & 0xffff;
    return (
      view.getUint16(a) === view.getUint16(b) &&
      view.getUint16(a + IPV4.flagsAndOffset) === flags &&
      (flags === DONT_FRAGMENT || view.getUint16(b + IPV4.identification) === expected) &&
      view.getUint16(a + IPV4.timeToLive) === view.getUint16(b + IPV4.timeToLive) &&
      view.getUint32(a + IPV4.source) === view.getUint32(b + IPV4.source) &&
      view.getUint32(a + IPV4.destination) === view.getUint32(b + IPV4.destination)
    );
  }

  #patch(view: DataView, header: VirtioHeader): void {
    const start = this.pieceOffsets[0];
    const { transport, headers, payload } = this.#first;
    const isIpv4 = view.getUint8(start) >> 4 === 4;
    if (isIpv4) {
      view.setUint16(start + IPV4.totalLength, this.#length);
      view.setUint16(start + IPV4.checksum, 0);
      view.setUint16(start + IPV4.checksum, checksumOf(sumWords(view, start, IPV4.end)));
    } else {
      view.setUint16(start + IPV6.payloadLength, this.#length - IPV6.end);
    }
    const tcp = start + transport;
    if (this.#hasPush) view.setUint8(tcp + TCP.flags, view.getUint8(tcp + TCP.flags) | PSH);
    const sum = pseudoHeaderSum(view, start, PROTOCOL_TCP, this.#length - transport);
    view.setUint16(tcp + TCP.checksum, foldSum(sum));
    header.flags = NEEDS_CHECKSUM;
    header.gsoType = isIpv4 ? GSO_TCPV4 : GSO_TCPV6;
    if ((view.getUint8(tcp + TCP.flags) & CWR) !== 0) header.gsoType |= GSO_ECN;
    header.headerLength = headers;
    header.gsoSize = payload;
    header.checksumStart = transport;
    header.checksumOffset = TCP.checksum;
  }
}

/** Reads a TCP segment with payload that may be part of a group; false if it is anything else. */
function readSegment(view: DataView, offset: number, length: number, segment: Candidate): boolean {
  if (length < IPV4.end + TCP.end) return false;
  if (view.getUint8(offset) === 0x45) {
    const isFragment = (view.getUint16(offset + IPV4.flagsAndOffset) & ~DONT_FRAGMENT) !== 0;
    if (view.getUint8(offset + IPV4.protocol) !== PROTOCOL_TCP || isFragment) return false;
    if (view.getUint16(offset + IPV4.totalLength) !== length) return false;
    // A large packet gets a header checksum of its own, which must not make a wrong one right.
    if (foldSum(sumWords(view, offset, IPV4.end)) !== 0xffff) return false;
    segment.transport = IPV4.end;
  } else {
    if (view.getUint8(offset) >> 4 !== 6 || length < IPV6.end + TCP.end) return false;
    if (view.getUint8(offset + IPV6.nextHeader) !== PROTOCOL_TCP) return false;
    if (view.getUint16(offset + IPV6.payloadLength) !== length - IPV6.end) return false;
    segment.transport = IPV6.end;
  }
  const transport = offset + segment.transport;
  const own = (view.getUint8(transport + TCP.dataOffset) >> 4) * 4;
  segment.headers = segment.transport + own;
  segment.payload = length - segment.headers;
  if (own < TCP.end || segment.payload <= 0) return false;
  return (view.getUint8(transport + TCP.flags) & ~(PSH | ECE | CWR)) === ACK;
}

function isSameIpv6(view: DataView, a: number, b: number): boolean {
  if (view.getUint32(a) !== view.getUint32(b)) return false;
  if (view.getUint16(a + IPV6.nextHeader) !== view.getUint16(b + IPV6.nextHeader)) return false;
  for (let i = IPV6.source; i < IPV6.end; i += 4) if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
  return true;
}

/** All of the header but sequence number, PSH, CWR and checksum. */
function isSameTcp(view: DataView, a: number, b: number, length: number): boolean {
  if (view.getInt32(a + TCP.ports) !== view.getInt32(b + TCP.ports)) return false;
  if (view.getInt32(a + TCP.acknowledgment) !== view.getInt32(b + TCP.acknowledgment)) return false;
  if (view.getUint16(a + TCP.window) !== view.getUint16(b + TCP.window)) return false;
  // With the bit AE, once called NS, behind it (RFC 9768 §3.1).
  if (view.getUint8(a + TCP.dataOffset) !== view.getUint8(b + TCP.dataOffset)) return false;
  if (((view.getUint8(a + TCP.flags) ^ view.getUint8(b + TCP.flags)) & ECE) !== 0) return false;
  if (view.getUint16(a + TCP.urgent) !== view.getUint16(b + TCP.urgent)) return false;
  for (let i = TCP.end; i < length; i += 4) if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
  return true;
}
