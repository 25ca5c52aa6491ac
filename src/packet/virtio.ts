/**
 * The header that stands in front of each packet of a TUN device with offloads: `struct virtio_net_hdr`
 * (Virtual I/O Device specification 1.2, §5.1.6). Little-endian, as every machine is that Node runs on with Linux TUN.
 */
export interface VirtioHeader {
  flags: number;
  gsoType: number;
  /** Length of all headers of a large packet, in bytes. A hint: we find it out ourselves. */
  headerLength: number;
  /** Payload of each segment but the last, in bytes. */
  gsoSize: number;
  /** Where the checksum begins, from the start of the packet, and where in there it is kept. */
  checksumStart: number;
  checksumOffset: number;
}

export const VIRTIO_HEADER_BYTES = 10;

/** In `flags`: the checksum field holds the pseudo-header's sum alone. */
export const NEEDS_CHECKSUM = 1;

/** Values of `gsoType`. */
export const GSO_NONE = 0;
export const GSO_TCPV4 = 1;
export const GSO_TCPV6 = 4;
export const GSO_UDP_L4 = 5;
/** In `gsoType`: the packet has ECN's CWR set. */
export const GSO_ECN = 0x80;

export function emptyVirtioHeader(): VirtioHeader {
  return { flags: 0, gsoType: GSO_NONE, headerLength: 0, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };
}

export function readVirtioHeader(bytes: Uint8Array, offset: number, header: VirtioHeader): void {
  header.flags = bytes[offset];
  header.gsoType = bytes[offset + 1];
  header.headerLength = uint16(bytes, offset + 2);
  header.gsoSize = uint16(bytes, offset + 4);
  header.checksumStart = uint16(bytes, offset + 6);
  header.checksumOffset = uint16(bytes, offset + 8);
}

export function writeVirtioHeader(bytes: Uint8Array, offset: number, header: VirtioHeader): void {
  bytes[offset] = header.flags;
  bytes[offset + 1] = header.gsoType;
  setUint16(bytes, offset + 2, header.headerLength);
  setUint16(bytes, offset + 4, header.gsoSize);
  setUint16(bytes, offset + 6, header.checksumStart);
  setUint16(bytes, offset + 8, header.checksumOffset);
}

function uint16(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8);
}

function setUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >> 8;
}
