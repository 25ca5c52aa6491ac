import { checksumOf, negatedSum, pseudoHeaderSum, sumWords } from './checksum.ts';
import { plainChecksums, type Checksums } from './checksums.ts';
import { IPV4, IPV6, PROTOCOL_TCP, PROTOCOL_UDP } from './ip.ts';
import { CWR, FIN, PSH, TCP } from './tcp.ts';
import { UDP } from './udp.ts';
import { viewOf } from './view.ts';
import { GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CHECKSUM, type VirtioHeader } from './virtio.ts';

/** Source and destination port, which all transport protocols with a checksum that a device completes begin with. */
const PORTS_BYTES = 4;

/**
 * Cuts one large packet, as the kernel hands it to a TUN device with offloads, into packets that fit the MTU, and
 * completes the checksums that the kernel left to the device. One object, used again for each packet.
 */
export class Segmenter {
  readonly #checksums: Checksums;
  #bytes: Uint8Array = new Uint8Array(0);
  #offset = 0;
  #isIpv4 = false;
  /** From the start of the packet: where TCP or UDP begins, and where its payload does. */
  #transport = 0;
  #headers = 0;
  #payload = 0;
  #segmentSize = 0;
  #count = 0;
  #protocol = 0;
  /** Of a large packet: what its own fields begin with, and the sums of all the others (`#sumHeaders`). */
  #identification = 0;
  #sequence = 0;
  #flags = 0;
  #ipSum = 0;
  #transportSum = 0;
  /** Of a packet that is not cut: where its checksum begins and is kept, or -1 if it is complete. */
  #checksumStart = -1;
  #checksumAt = 0;

  constructor(checksums: Checksums = plainChecksums) {
    this.#checksums = checksums;
  }

  /**
   * Looks at the packet of `length` bytes at `offset`; `bytes` must not change until its segments are written.
   * @returns the number of segments, or 0 if packet and header contradict each other
   */
  begin(bytes: Uint8Array, offset: number, length: number, header: VirtioHeader): number {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#isIpv4 = bytes[offset] >> 4 === 4;
    const type = header.gsoType & ~GSO_ECN;
    const isWhole = type === GSO_NONE ? this.#beginWhole(length, header) : this.#beginLarge(type, length, header);
    return isWhole ? this.#count : 0;
  }

  /** The length of the longest segment of the packet last looked at. */
  get longest(): number {
    return this.#headers + Math.min(this.#segmentSize, this.#payload);
  }

  /** Writes segment `index` to `target`, which has room for it. @returns its length in bytes */
  write(index: number, target: Uint8Array, targetOffset: number): number {
    const headers = this.#headers;
    const position = index * this.#segmentSize;
    const payload = Math.min(this.#segmentSize, this.#payload - position);
    const from = this.#offset + headers + position;
    if (headers > 0) this.#checksums.copyAndSum(target, targetOffset, this.#bytes, this.#offset, headers);
    const payloadSum = this.#checksums.copyAndSum(target, targetOffset + headers, this.#bytes, from, payload);
    const length = headers + payload;
    if (headers > 0) this.#patch(index, target, targetOffset, length, payloadSum);
    else if (this.#checksumStart >= 0) this.#completeChecksum(target, targetOffset, length);
    return length;
  }

  #beginWhole(length: number, header: VirtioHeader): boolean {
    this.#headers = 0;
    this.#payload = length;
    this.#segmentSize = length;
    this.#count = 1;
    this.#checksumStart = -1;
    if ((header.flags & NEEDS_CHECKSUM) === 0) return length > 0;
    this.#checksumStart = header.checksumStart;
    this.#checksumAt = header.checksumStart + header.checksumOffset;
    return this.#mayChecksum(header) && this.#checksumAt + 2 <= length;
  }

  /**
   * Whether the checksum lies where a transport protocol has one: behind the IP header and the ports. The fields can be
   * those of a virtual machine's, and what addresses and ports were looked at for is not to be written over afterwards.
   */
  #mayChecksum({ checksumStart, checksumOffset }: VirtioHeader): boolean {
    const ipEnd = this.#isIpv4 ? Math.max(IPV4.end, (this.#bytes[this.#offset] & 0x0f) * 4) : IPV6.end;
    return checksumStart >= ipEnd && checksumOffset >= PORTS_BYTES;
  }

  #beginLarge(type: number, length: number, header: VirtioHeader): boolean {
    const isTcp = type === (this.#isIpv4 ? GSO_TCPV4 : GSO_TCPV6);
    if (!isTcp && type !== GSO_UDP_L4) return false;
    if ((header.flags & NEEDS_CHECKSUM) === 0 || header.gsoSize === 0) return false;
    const transport = header.checksumStart;
    const fixed = isTcp ? TCP.end : UDP.end;
    if (transport + fixed > length || !this.#mayBeginAt(transport)) return false;
    const own = isTcp ? (this.#bytes[this.#offset + transport + TCP.dataOffset] >> 4) * 4 : UDP.end;
    this.#transport = transport;
    this.#headers = transport + own;
    this.#payload = length - this.#headers;
    this.#segmentSize = header.gsoSize;
    this.#protocol = isTcp ? PROTOCOL_TCP : PROTOCOL_UDP;
    this.#count = Math.ceil(this.#payload / header.gsoSize);
    if (own < fixed || this.#payload <= 0) return false;
    this.#sumHeaders();
    return true;
  }

  /** Whether the IP header ends at `transport`; or, with extension headers, before it. */
  #mayBeginAt(transport: number): boolean {
    const first = this.#bytes[this.#offset];
    if (this.#isIpv4) return transport >= IPV4.end && transport === (first & 0x0f) * 4;
    return first >> 4 === 6 && transport >= IPV6.end;
  }

  /** Sums up what all segments have in common, so that each has to add its own fields only. */
  #sumHeaders(): void {
    const view = viewOf(this.#bytes);
    const start = this.#offset;
    if (this.#isIpv4) {
      this.#identification = view.getUint16(start + IPV4.identification);
      const own =
        view.getUint16(start + IPV4.totalLength) + this.#identification + view.getUint16(start + IPV4.checksum);
      this.#ipSum = sumWords(view, start, this.#transport) + negatedSum(own);
    }
    const transport = start + this.#transport;
    this.#transportSum =
      pseudoHeaderSum(view, start, this.#protocol, 0) + sumWords(view, transport, this.#headers - this.#transport);
    if (this.#protocol === PROTOCOL_TCP) {
      this.#sequence = view.getUint32(transport + TCP.sequence);
      this.#flags = view.getUint8(transport + TCP.flags);
      this.#transportSum += negatedSum(
        sumOf32(this.#sequence) + this.#flags + view.getUint16(transport + TCP.checksum),
      );
    } else {
      this.#transportSum += negatedSum(
        view.getUint16(transport + UDP.length) + view.getUint16(transport + UDP.checksum),
      );
    }
  }

  /** Makes the copied headers those of segment `index`. */
  // eslint-disable-next-line max-params -- as with all of the data path, an object would be an allocation a packet
  #patch(index: number, target: Uint8Array, offset: number, length: number, payloadSum: number): void {
    const view = viewOf(target);
    if (this.#isIpv4) {
      const identification = (this.#identification + index) & 0xffff;
      view.setUint16(offset + IPV4.totalLength, length);
      view.setUint16(offset + IPV4.identification, identification);
      view.setUint16(offset + IPV4.checksum, checksumOf(this.#ipSum + length + identification));
    } else {
      view.setUint16(offset + IPV6.payloadLength, length - IPV6.end);
    }
    const transport = offset + this.#transport;
    const transportLength = length - this.#transport;
    const sum = this.#transportSum + transportLength + payloadSum;
    if (this.#protocol === PROTOCOL_TCP) {
      view.setUint16(transport + TCP.checksum, checksumOf(sum + this.#patchTcp(index, view, transport)));
    } else {
      view.setUint16(transport + UDP.length, transportLength);
      view.setUint16(transport + UDP.checksum, this.#onWire(checksumOf(sum + transportLength)));
    }
  }

  /** @returns the sum of the fields that are this segment's own */
  #patchTcp(index: number, view: DataView, transport: number): number {
    const sequence = (this.#sequence + index * this.#segmentSize) >>> 0;
    let flags = this.#flags;
    // What ends the data belongs to the last segment, "window reduced" to the first (RFC 3168 §6.1.2).
    if (index < this.#count - 1) flags &= ~(FIN | PSH);
    if (index > 0) flags &= ~CWR;
    view.setUint32(transport + TCP.sequence, sequence);
    view.setUint8(transport + TCP.flags, flags);
    return sumOf32(sequence) + flags;
  }

  /** The field holds the pseudo-header's sum already, so that summing it up with the rest completes it. */
  #completeChecksum(target: Uint8Array, offset: number, length: number): void {
    const sum = this.#checksums.sum(target, offset + this.#checksumStart, length - this.#checksumStart);
    this.#protocol = this.#checksumAt - this.#checksumStart === UDP.checksum ? PROTOCOL_UDP : PROTOCOL_TCP;
    viewOf(target).setUint16(offset + this.#checksumAt, this.#onWire(checksumOf(sum)));
  }

  /** For UDP a checksum of zero means "none", so 0xffff stands for it (RFC 768). */
  #onWire(checksum: number): number {
    return checksum === 0 && this.#protocol === PROTOCOL_UDP ? 0xffff : checksum;
  }
}

/** Of both halves of a field of 32 bits. */
function sumOf32(field: number): number {
  return (field >>> 16) + (field & 0xffff);
}
