/**
 * Relay packets: a WireGuard message on its way over neighbours, as the payload of IPv6 (RFC 8200) and UDP (RFC 768)
 * between two addresses of the mesh, inside the session with each neighbour on the way
 * (docs/decisions/0018-relay-packets.md).
 */
import { checksumOf, sumWords } from './checksum.ts';
import { IPV6, PROTOCOL_UDP } from './ip.ts';
import { UDP } from './udp.ts';
import { viewOf } from './view.ts';

/** Source and destination port. */
export const RELAY_PORT = 7079;
/** In front of the message: the headers of IPv6 and UDP. */
export const RELAY_HEADER_BYTES = IPV6.end + UDP.end;

const VERSION = 0x60;
const FIRST_HOP_LIMIT = 32;
/** WireGuard's messages begin with their type, 1–4, and three zero bytes; the shortest is a keepalive (whitepaper §5.4). */
const LAST_MESSAGE_TYPE = 4;
const SHORTEST_MESSAGE = 32;

/** Whether the IPv6 address that begins at `at` is one of the mesh, fd77::/16. */
export function isMeshAddress(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xfd && bytes[at + 1] === 0x77;
}

/**
 * The port that the packet of `length` bytes at `offset` goes to, if it is UDP to an address of the mesh; else 0.
 * Behind extension headers, fragmentation's among them, no port is looked for.
 */
export function meshPortOf(bytes: Uint8Array, offset: number, length: number): number {
  if (bytes[offset + IPV6.nextHeader] !== PROTOCOL_UDP || bytes[offset] >> 4 !== 6) return 0;
  if (length < IPV6.end + 4 || !isMeshAddress(bytes, offset + IPV6.destination)) return 0;
  const port = offset + IPV6.end + UDP.ports + 2;
  return (bytes[port] << 8) | bytes[port + 1];
}

/**
 * Whether the packet, of which `meshPortOf` is RELAY_PORT, has the form of a relay packet with a message of WireGuard in
 * it. The checksum is not looked at: what is inside is authenticated from end to end.
 */
export function isRelayPacket(bytes: Uint8Array, offset: number, length: number): boolean {
  const udpLength = length - IPV6.end;
  const ports = offset + IPV6.end + UDP.ports;
  const message = offset + RELAY_HEADER_BYTES;
  return (
    length >= RELAY_HEADER_BYTES + SHORTEST_MESSAGE &&
    isMeshAddress(bytes, offset + IPV6.source) &&
    uint16(bytes, offset + IPV6.payloadLength) === udpLength &&
    uint16(bytes, offset + IPV6.end + UDP.length) === udpLength &&
    uint16(bytes, ports) === RELAY_PORT &&
    uint16(bytes, ports + 2) === RELAY_PORT &&
    bytes[message] >= 1 &&
    bytes[message] <= LAST_MESSAGE_TYPE &&
    (bytes[message + 1] | bytes[message + 2] | bytes[message + 3]) === 0
  );
}

/** The headers of relay packets of one source, for one destination after another. */
export class RelayHeader {
  /** As they are before a message of no bytes. */
  readonly bytes = new Uint8Array(RELAY_HEADER_BYTES);
  /** Of what a checksum is taken of and does not depend on the message. */
  #sum = 0;

  /** `source` is an address of 16 bytes. */
  constructor(source: Uint8Array) {
    const view = viewOf(this.bytes);
    this.bytes[IPV6.nextHeader] = PROTOCOL_UDP;
    this.bytes[IPV6.hopLimit] = FIRST_HOP_LIMIT;
    this.bytes.set(source, IPV6.source);
    view.setUint16(IPV6.end + UDP.ports, RELAY_PORT);
    view.setUint16(IPV6.end + UDP.ports + 2, RELAY_PORT);
  }

  /** Makes them those of packets to `destination`, of 16 bytes, with the ECN bits of what is inside (RFC 6040 §4.1). */
  begin(destination: Uint8Array, ecn: number): void {
    for (let i = 0; i < destination.length; i++) this.bytes[IPV6.destination + i] = destination[i];
    this.bytes[0] = VERSION;
    this.bytes[1] = ecn << 4;
    this.#sum = sumWords(viewOf(this.bytes), IPV6.source, IPV6.end - IPV6.source) + PROTOCOL_UDP + 2 * RELAY_PORT;
  }

  /** Writes them at `offset` of `target`, before a message of `length` bytes, of which `sum` is the sum (RFC 1071). */
  write(target: Uint8Array, offset: number, length: number, sum: number): void {
    for (let i = 0; i < RELAY_HEADER_BYTES; i++) target[offset + i] = this.bytes[i];
    const udpLength = UDP.end + length;
    setUint16(target, offset + IPV6.payloadLength, udpLength);
    setUint16(target, offset + IPV6.end + UDP.length, udpLength);
    // The length is in the pseudo-header and in the header (RFC 8200 §8.1); a checksum of zero would mean none.
    const checksum = checksumOf(this.#sum + 2 * udpLength + sum);
    setUint16(target, offset + IPV6.end + UDP.checksum, checksum === 0 ? 0xffff : checksum);
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}
