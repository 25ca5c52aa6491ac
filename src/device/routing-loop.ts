import { IPV4, IPV6, PROTOCOL_UDP, UDP } from '../packet/index.ts';

/** The whitepaper's message type with its three reserved zero bytes, and where the receiver's index lies (§5.4.6). */
const TRANSPORT_DATA = 4;
const RECEIVER = 4;

/**
 * Whether the packet at `offset` is a datagram of the session whose receiver has the index `remoteIndex`: then a route
 * leads our own datagrams into the tunnel that they are to carry. To seal them again would go on for ever, each round
 * with longer packets, and with more when they are cut. Fragments behind the first are not told; they go round once.
 */
export function isOwnDatagram(bytes: Uint8Array, offset: number, length: number, remoteIndex: number): boolean {
  const isV4 = bytes[offset] >> 4 === 4;
  if (bytes[offset + (isV4 ? IPV4.protocol : IPV6.nextHeader)] !== PROTOCOL_UDP) return false;
  const message = offset + UDP.end + (isV4 ? (bytes[offset] & 0x0f) * 4 : IPV6.end);
  if (message + RECEIVER + 4 > offset + length) return false;
  return uint32(bytes, message) === TRANSPORT_DATA && uint32(bytes, message + RECEIVER) === remoteIndex;
}

function uint32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24)) >>> 0;
}
