/** IP packets made by hand, with a checksum so plain that it can be trusted: the twin of the one in src/packet. */
import { IPV4, IPV6, PROTOCOL_TCP, PROTOCOL_UDP, TCP, UDP } from '../src/packet/index.ts';

export interface PacketFields {
  readonly family: 4 | 6;
  readonly protocol: typeof PROTOCOL_TCP | typeof PROTOCOL_UDP;
  readonly payload: Uint8Array;
  /** TCP alone; a multiple of 4 bytes. */
  readonly options: Uint8Array;
  readonly sequence: number;
  readonly flags: number;
  readonly identification: number;
  readonly flagsAndOffset: number;
}

const DEFAULTS: PacketFields = {
  family: 4,
  protocol: PROTOCOL_TCP,
  payload: new Uint8Array(0),
  options: new Uint8Array(0),
  sequence: 1000,
  flags: 0x10,
  identification: 7,
  flagsAndOffset: 0x4000,
};

/** A whole packet, all of whose checksums are right. */
export function packetOf(fields: Partial<PacketFields>): Uint8Array {
  const { packet, transport, checksumAt } = packetWithPartialChecksum(fields);
  setUint16(packet, checksumAt, naiveChecksum(packet.subarray(transport)));
  return packet;
}

/** … whose TCP or UDP checksum the device is to complete. */
export function packetWithPartialChecksum(fields: Partial<PacketFields>) {
  const { family, protocol, payload, options, ...rest } = { ...DEFAULTS, ...fields };
  const transport = family === 4 ? IPV4.end : IPV6.end;
  const isTcp = protocol === PROTOCOL_TCP;
  const headers = transport + (isTcp ? TCP.end + options.length : UDP.end);
  const packet = new Uint8Array(headers + payload.length);
  writeIp(packet, family, protocol, rest);
  setUint16(packet, transport, 443);
  setUint16(packet, transport + 2, 50_000);
  if (isTcp) {
    new DataView(packet.buffer).setUint32(transport + TCP.sequence, rest.sequence);
    setUint16(packet, transport + TCP.acknowledgment, 99);
    packet[transport + TCP.dataOffset] = ((TCP.end + options.length) / 4) << 4;
    packet[transport + TCP.flags] = rest.flags;
    setUint16(packet, transport + TCP.window, 512);
    packet.set(options, transport + TCP.end);
  } else {
    setUint16(packet, transport + UDP.length, packet.length - transport);
  }
  packet.set(payload, headers);
  const checksumAt = transport + (isTcp ? TCP.checksum : UDP.checksum);
  setUint16(packet, checksumAt, ~naiveChecksum(pseudoHeader(packet, protocol, packet.length - transport)));
  return { packet, transport, headers, checksumAt };
}

/** What is wrong with a packet's lengths and checksums, or `undefined`. */
export function faultOf(packet: Uint8Array): string | undefined {
  const isIpv4 = packet[0] >> 4 === 4;
  const transport = isIpv4 ? IPV4.end : IPV6.end;
  const length = isIpv4 ? getUint16(packet, IPV4.totalLength) : getUint16(packet, IPV6.payloadLength) + IPV6.end;
  if (length !== packet.length) return `length ${length} of a packet of ${packet.length}`;
  if (isIpv4 && naiveChecksum(packet.subarray(0, transport)) !== 0) return 'IPv4 header checksum';
  const protocol = packet[isIpv4 ? IPV4.protocol : IPV6.nextHeader];
  const transportLength = packet.length - transport;
  if (protocol === PROTOCOL_UDP && getUint16(packet, transport + UDP.length) !== transportLength) return 'UDP length';
  if (protocol === PROTOCOL_UDP && getUint16(packet, transport + UDP.checksum) === 0) return 'no UDP checksum';
  const summed = new Uint8Array([...pseudoHeader(packet, protocol, transportLength), ...packet.subarray(transport)]);
  return naiveChecksum(summed) === 0 ? undefined : 'TCP or UDP checksum';
}

/** RFC 1071 §1, word by word with the carry brought around each time. */
export function naiveChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i] * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return 0xffff - sum;
}

export function getUint16(bytes: Uint8Array, at: number): number {
  return bytes[at] * 256 + bytes[at + 1];
}

export function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

function writeIp(
  packet: Uint8Array,
  family: 4 | 6,
  protocol: number,
  { identification, flagsAndOffset }: Pick<PacketFields, 'identification' | 'flagsAndOffset'>,
): void {
  if (family === 6) {
    packet[0] = 0x60;
    setUint16(packet, IPV6.payloadLength, packet.length - IPV6.end);
    packet.set([protocol, 64], IPV6.nextHeader);
    packet.set([0xfd, 0x77, 1], IPV6.source);
    packet.set([0xfd, 0x77, 2], IPV6.destination);
    return;
  }
  packet[0] = 0x45;
  setUint16(packet, IPV4.totalLength, packet.length);
  setUint16(packet, IPV4.identification, identification);
  setUint16(packet, IPV4.flagsAndOffset, flagsAndOffset);
  packet.set([64, protocol], IPV4.timeToLive);
  packet.set([10, 0, 0, 1, 10, 0, 0, 2], IPV4.source);
  setUint16(packet, IPV4.checksum, naiveChecksum(packet.subarray(0, IPV4.end)));
}

function pseudoHeader(packet: Uint8Array, protocol: number, transportLength: number): Uint8Array {
  const isIpv4 = packet[0] >> 4 === 4;
  const addresses = isIpv4 ? packet.subarray(IPV4.source, IPV4.end) : packet.subarray(IPV6.source, IPV6.end);
  return new Uint8Array([...addresses, 0, protocol, transportLength >> 8, transportLength & 0xff]);
}
