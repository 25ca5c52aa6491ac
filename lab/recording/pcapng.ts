/**
 * Captures as pcapng (draft-ietf-opsawg-pcapng), which tshark and Wireshark read: one section, an interface block for
 * each place before its first frame, an enhanced packet block for each frame. All little-endian, padded to four bytes.
 */
const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPTION = { end: 0, interfaceName: 2, timeResolution: 9, packetFlags: 2 } as const;
/** Timestamps count 10^-9 s. */
const NANOSECONDS = 9;
/** Only what a node sends is recorded. */
const OUTBOUND = Buffer.of(2, 0, 0, 0);

export type LinkType = 'ethernet' | 'ip';
const LINK_TYPES: Readonly<Record<LinkType, number>> = { ethernet: 1, ip: 101 };

/** An interface of a node. */
export interface Place {
  readonly node: string;
  readonly interface: string;
  readonly linkType: LinkType;
}

export interface Frame {
  /** Which place, by its number in the file. */
  readonly place: number;
  /** In nanoseconds of Unix time. */
  readonly at: bigint;
  /** On the link; `bytes` may hold less of it. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

export function writeSection(): Buffer {
  const body = Buffer.alloc(16);
  body.writeUInt32LE(BYTE_ORDER_MAGIC, 0);
  body.writeUInt16LE(1, 4);
  // The length of the section is not known.
  body.fill(0xff, 8, 16);
  return block(SECTION, body);
}

/** Places are numbered from 0 in the order in which they are written. */
export function writePlace({ node, interface: name, linkType }: Place): Buffer {
  const start = Buffer.alloc(8);
  start.writeUInt16LE(LINK_TYPES[linkType], 0);
  const options = [
    option(OPTION.interfaceName, Buffer.from(`${node}:${name}`)),
    option(OPTION.timeResolution, Buffer.of(NANOSECONDS)),
    option(OPTION.end, Buffer.alloc(0)),
  ];
  return block(INTERFACE, Buffer.concat([start, ...options]));
}

export function writeFrame({ place, at, length, bytes }: Frame): Buffer {
  const start = Buffer.alloc(20);
  start.writeUInt32LE(place, 0);
  start.writeUInt32LE(Number(at >> 32n), 4);
  start.writeUInt32LE(Number(at & 0xffff_ffffn), 8);
  start.writeUInt32LE(bytes.length, 12);
  start.writeUInt32LE(length, 16);
  const options = [option(OPTION.packetFlags, OUTBOUND), option(OPTION.end, Buffer.alloc(0))];
  return block(ENHANCED_PACKET, Buffer.concat([start, padded(bytes), ...options]));
}

/** Reads what the functions above wrote; a block that was cut off at the end is left out. */
export function readCapture(file: Buffer): { places: Place[]; frames: Frame[] } {
  const places: Place[] = [];
  const frames: Frame[] = [];
  for (let at = 0; at + 12 <= file.length;) {
    const length = file.readUInt32LE(at + 4);
    if (length < 12 || at + length > file.length) break;
    const body = file.subarray(at + 8, at + length - 4);
    const type = file.readUInt32LE(at);
    if (type === INTERFACE) {
      const [node, name] = body
        .subarray(12, 12 + body.readUInt16LE(10))
        .toString()
        .split(':');
      places.push({ node, interface: name, linkType: body.readUInt16LE(0) === LINK_TYPES.ip ? 'ip' : 'ethernet' });
    } else if (type === ENHANCED_PACKET) frames.push(readFrame(body));
    at += length;
  }
  return { places, frames };
}

function readFrame(body: Buffer): Frame {
  const captured = body.readUInt32LE(12);
  return {
    place: body.readUInt32LE(0),
    at: (BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)),
    length: body.readUInt32LE(16),
    bytes: body.subarray(20, 20 + captured),
  };
}

function option(code: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

function block(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(body.length + 12, 4);
  return Buffer.concat([head, body, head.subarray(4)]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(padding(bytes.length))]);
}

function padding(length: number): number {
  return (4 - (length % 4)) % 4;
}
