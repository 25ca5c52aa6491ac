/**
 * Tunnel messages: what the nodes of a mesh say to each other inside their session, as the payload of IPv6 (RFC 8200)
 * and UDP (RFC 768) between their two addresses. One plain form is one, nothing else: what a host may send must be told
 * from it by its fixed headers (docs/decisions/0023-tunnel-messages-past-the-host.md).
 */
import { checksumOf, foldSum, sumWords } from './checksum.ts';
import { plainChecksums, type Checksums } from './checksums.ts';
import { IPV6, PROTOCOL_UDP } from './ip.ts';
import { isMeshAddress, RELAY_PORT } from './relay-header.ts';
import { UDP } from './udp.ts';
import { viewOf } from './view.ts';

/** Source and destination port (docs/decisions/0006-beacon-port-and-group.md). */
export const TUNNEL_PORT = 7078;
/** In front of the message: the headers of IPv6 and UDP. */
export const TUNNEL_HEADER_BYTES = IPV6.end + UDP.end;

const VERSION = 0x60;
/** Nobody forwards it. */
const HOP_LIMIT = 1;

/**
 * Whether the packet of `length` bytes at `offset` is UDP to an address of the mesh with a port of the mesh's own on
 * either side: only nodes send these, no host. Behind extension headers, fragmentation's among them, no port is looked
 * for: with these it is neither a tunnel message nor a relay packet.
 */
export function isOnMeshPort(bytes: Uint8Array, offset: number, length: number): boolean {
  if (bytes[offset + IPV6.nextHeader] !== PROTOCOL_UDP || bytes[offset] >> 4 !== 6) return false;
  if (length < IPV6.end + 4 || !isMeshAddress(bytes, offset + IPV6.destination)) return false;
  const ports = offset + IPV6.end + UDP.ports;
  return isOwn((bytes[ports] << 8) | bytes[ports + 1]) || isOwn((bytes[ports + 2] << 8) | bytes[ports + 3]);
}

/** Whether the packet of `length` bytes at `offset` is a tunnel message: UDP right behind IPv6, whole and undamaged. */
export function isTunnelMessage(
  bytes: Uint8Array,
  offset: number,
  length: number,
  checksums: Checksums = plainChecksums,
): boolean {
  const udp = offset + IPV6.end;
  const udpLength = length - IPV6.end;
  return (
    length >= TUNNEL_HEADER_BYTES &&
    bytes[offset] >> 4 === 6 &&
    bytes[offset + IPV6.nextHeader] === PROTOCOL_UDP &&
    isMeshAddress(bytes, offset + IPV6.source) &&
    isMeshAddress(bytes, offset + IPV6.destination) &&
    uint16(bytes, offset + IPV6.payloadLength) === udpLength &&
    uint16(bytes, udp + UDP.length) === udpLength &&
    uint16(bytes, udp + UDP.ports) === TUNNEL_PORT &&
    uint16(bytes, udp + UDP.ports + 2) === TUNNEL_PORT &&
    // Zero would mean that there is none, which IPv6 does not allow here (RFC 8200 §8.1).
    uint16(bytes, udp + UDP.checksum) !== 0 &&
    foldSum(checksums.sum(bytes, offset + IPV6.source, length - IPV6.source) + PROTOCOL_UDP + udpLength) === 0xffff
  );
}

/** The packet that carries `message` from one address of the mesh to another, each of 16 bytes. */
export function tunnelMessage(message: Uint8Array, source: Uint8Array, destination: Uint8Array): Uint8Array {
  const packet = new Uint8Array(TUNNEL_HEADER_BYTES + message.length);
  const view = viewOf(packet);
  const udpLength = UDP.end + message.length;
  packet[0] = VERSION;
  view.setUint16(IPV6.payloadLength, udpLength);
  packet[IPV6.nextHeader] = PROTOCOL_UDP;
  packet[IPV6.hopLimit] = HOP_LIMIT;
  packet.set(source, IPV6.source);
  packet.set(destination, IPV6.destination);
  view.setUint16(IPV6.end + UDP.ports, TUNNEL_PORT);
  view.setUint16(IPV6.end + UDP.ports + 2, TUNNEL_PORT);
  view.setUint16(IPV6.end + UDP.length, udpLength);
  packet.set(message, TUNNEL_HEADER_BYTES);
  const checksum = checksumOf(sumWords(view, IPV6.source, packet.length - IPV6.source) + PROTOCOL_UDP + udpLength);
  view.setUint16(IPV6.end + UDP.checksum, checksum === 0 ? 0xffff : checksum);
  return packet;
}

function isOwn(port: number): boolean {
  return port === TUNNEL_PORT || port === RELAY_PORT;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}
