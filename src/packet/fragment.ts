import { checksumOf, sumWords } from './checksum.ts';
import { DONT_FRAGMENT, IPV4, IPV6 } from './ip.ts';
import { viewOf } from './view.ts';

const MORE_FRAGMENTS = 0x2000;
/** In units of eight bytes, as all offsets of fragments are (RFC 791 §3.1). */
const OFFSET = 0x1fff;
const HOP_BY_HOP = 0;
const FRAGMENT = 44;
/** Where the fields of the fragment header lie, in bytes (RFC 8200 §4.5). */
const HEADER = { next: 0, reserved: 1, offsetAndMore: 2, identification: 4, end: 8 } as const;
const MORE_V6 = 1;
const LONGEST = 65_535;

/**
 * Cuts packets into fragments, as the host that they come from would (RFC 791 §3.2, RFC 8200 §4.5); the one that they go
 * to puts them together. One object, used again for each packet.
 */
export class Fragmenter {
  #bytes: Uint8Array = new Uint8Array(0);
  #isWhole = true;
  #isIpv4 = false;
  /** Of the packet, up to where fragments differ; and where the part begins that is cut. */
  #headers = 0;
  #payload = 0;
  #length = 0;
  /** Payload of each fragment but the last. */
  #step = 0;
  #identification = 0;
  /** The packet may be a fragment itself. */
  #firstOffset = 0;
  #hasMore = false;
  #nextHeader = 0;
  #count = 0;

  /** `identification`: of the first packet without one of its own. */
  constructor(identification: number) {
    this.#count = identification;
  }

  /**
   * Looks at the packet at the start of `bytes`, which must not change until its fragments are written. That it may not be
   * fragmented is for the caller to heed.
   * @returns the number of pieces of `mtu` bytes at most, which is 1 for what is no longer, or 0 if it cannot be cut
   */
  begin(bytes: Uint8Array, length: number, mtu: number): number {
    this.#bytes = bytes;
    this.#length = length;
    this.#isWhole = length <= mtu;
    if (this.#isWhole) return 1;
    this.#isIpv4 = bytes[0] >> 4 === 4;
    const isReadable = this.#isIpv4 ? this.#beginV4(length) : this.#beginV6(length);
    const overhead = this.#isIpv4 ? this.#headers : this.#headers + HEADER.end;
    this.#step = (mtu - overhead) & ~7;
    const payload = length - this.#payload;
    if (!isReadable || this.#step <= 0 || length > LONGEST || this.#firstOffset * 8 + payload > LONGEST) return 0;
    return Math.ceil(payload / this.#step);
  }

  /** Writes piece `index` to `target`. @returns its length in bytes */
  write(index: number, target: Uint8Array, offset: number): number {
    if (this.#isWhole) {
      target.set(this.#bytes.subarray(0, this.#length), offset);
      return this.#length;
    }
    const from = this.#payload + index * this.#step;
    const payload = Math.min(this.#step, this.#length - from);
    const isLast = from + payload === this.#length;
    const at = this.#firstOffset + (index * this.#step) / 8;
    const hasMore = this.#hasMore || !isLast;
    target.set(this.#bytes.subarray(0, this.#headers), offset);
    const headers = this.#isIpv4
      ? this.#finishV4(target, offset, payload, at | (hasMore ? MORE_FRAGMENTS : 0))
      : this.#finishV6(target, offset, payload, (at << 3) | (hasMore ? MORE_V6 : 0));
    target.set(this.#bytes.subarray(from, from + payload), offset + headers);
    return headers + payload;
  }

  /** Options would have to be in some fragments and not in others; hosts that send any are not waited for. */
  #beginV4(length: number): boolean {
    if (length <= IPV4.end || this.#bytes[0] !== 0x45) return false;
    const view = viewOf(this.#bytes);
    const flags = view.getUint16(IPV4.flagsAndOffset);
    this.#headers = IPV4.end;
    this.#payload = IPV4.end;
    this.#firstOffset = flags & OFFSET;
    this.#hasMore = (flags & MORE_FRAGMENTS) !== 0;
    // What was not to be cut has no identification that is its own (RFC 6864 §4.1).
    const isAtomic = (flags & DONT_FRAGMENT) !== 0 && (flags & (MORE_FRAGMENTS | OFFSET)) === 0;
    this.#identification = isAtomic ? this.#next() & 0xffff : view.getUint16(IPV4.identification);
    return true;
  }

  #beginV6(length: number): boolean {
    if (length <= IPV6.end || this.#bytes[0] >> 4 !== 6) return false;
    this.#headers =
      this.#bytes[IPV6.nextHeader] === HOP_BY_HOP ? IPV6.end + 8 * (this.#bytes[IPV6.end + 1] + 1) : IPV6.end;
    this.#nextHeader = this.#bytes[this.#headers === IPV6.end ? IPV6.nextHeader : IPV6.end];
    this.#payload = this.#headers;
    if (length <= this.#headers + HEADER.end) return false;
    if (this.#nextHeader !== FRAGMENT) {
      this.#firstOffset = 0;
      this.#hasMore = false;
      this.#identification = this.#next();
      return true;
    }
    const view = viewOf(this.#bytes);
    const offsetAndMore = view.getUint16(this.#headers + HEADER.offsetAndMore);
    this.#nextHeader = this.#bytes[this.#headers + HEADER.next];
    this.#firstOffset = offsetAndMore >> 3;
    this.#hasMore = (offsetAndMore & MORE_V6) !== 0;
    this.#identification = view.getUint32(this.#headers + HEADER.identification);
    this.#payload = this.#headers + HEADER.end;
    return true;
  }

  #next(): number {
    this.#count = (this.#count + 1) >>> 0;
    return this.#count;
  }

  #finishV4(target: Uint8Array, offset: number, payload: number, flagsAndOffset: number): number {
    const view = viewOf(target);
    view.setUint16(offset + IPV4.totalLength, IPV4.end + payload);
    view.setUint16(offset + IPV4.identification, this.#identification);
    view.setUint16(offset + IPV4.flagsAndOffset, flagsAndOffset);
    view.setUint16(offset + IPV4.checksum, 0);
    view.setUint16(offset + IPV4.checksum, checksumOf(sumWords(view, offset, IPV4.end)));
    return IPV4.end;
  }

  #finishV6(target: Uint8Array, offset: number, payload: number, offsetAndMore: number): number {
    const view = viewOf(target);
    const header = offset + this.#headers;
    target[offset + (this.#headers === IPV6.end ? IPV6.nextHeader : IPV6.end)] = FRAGMENT;
    view.setUint16(offset + IPV6.payloadLength, this.#headers - IPV6.end + HEADER.end + payload);
    target[header + HEADER.next] = this.#nextHeader;
    target[header + HEADER.reserved] = 0;
    view.setUint16(header + HEADER.offsetAndMore, offsetAndMore);
    view.setUint32(header + HEADER.identification, this.#identification);
    return this.#headers + HEADER.end;
  }
}
