/**
 * What tells a packet from others on its way, read from a frame as it was recorded: its first bytes. Headers: Ethernet,
 * IPv4 (RFC 791 §3.1), IPv6 (RFC 8200 §3), UDP (RFC 768).
 */
import type { LinkType } from '../recording/pcapng.ts';

const ETHERNET = { type: 12, end: 14 } as const;
const IPV6 = { type: 0x86dd, nextHeader: 6, hopLimit: 7, source: 8, end: 40 } as const;
const IPV4 = { type: 0x0800, identification: 4, ttl: 8, protocol: 9, checksum: 10, end: 20 } as const;
const UDP = { protocol: 17, end: 8 } as const;
/** Transport data of WireGuard (whitepaper §5.4.6): no two messages of one session are the same. */
const TRANSPORT = { type: [4, 0, 0, 0], minimumBytes: 32 } as const;

export interface SeenPacket {
  /** Equal for two sightings of what may be one packet, whatever routers changed. */
  readonly key: string;
  readonly hopLimit: number;
  /** Ciphertext with a number used once: a second sighting is the same packet, whatever its hop limit. */
  readonly isUnique: boolean;
}

/** `undefined` for what is no IP packet. `bytes` begin as `linkType` says. */
export function readPacket(bytes: Uint8Array, linkType: LinkType): SeenPacket | undefined {
  const type = (bytes[ETHERNET.type] << 8) | bytes[ETHERNET.type + 1];
  const packet = linkType === 'ip' ? bytes : bytes.subarray(ETHERNET.end);
  const version = packet[0] >> 4;
  if (linkType === 'ethernet' && type !== (version === 6 ? IPV6.type : IPV4.type)) return undefined;
  if (version === 6 && packet.length >= IPV6.end) return readIpv6(packet);
  return version === 4 && packet.length >= IPV4.end ? readIpv4(packet) : undefined;
}

function readIpv6(packet: Uint8Array): SeenPacket {
  const ciphertext = packet[IPV6.nextHeader] === UDP.protocol ? transportOf(packet.subarray(IPV6.end)) : undefined;
  return seen(packet, [IPV6.hopLimit], packet[IPV6.hopLimit], ciphertext);
}

function readIpv4(packet: Uint8Array): SeenPacket {
  const header = (packet[0] & 0x0f) * 4;
  const ciphertext = packet[IPV4.protocol] === UDP.protocol ? transportOf(packet.subarray(header)) : undefined;
  return seen(packet, [IPV4.ttl, IPV4.checksum, IPV4.checksum + 1], packet[IPV4.ttl], ciphertext);
}

function transportOf(datagram: Uint8Array): Uint8Array | undefined {
  const message = datagram.subarray(UDP.end);
  const isTransport =
    message.length >= TRANSPORT.minimumBytes && TRANSPORT.type.every((byte, i) => message[i] === byte);
  return isTransport ? message : undefined;
}

function seen(packet: Uint8Array, mutable: readonly number[], hopLimit: number, ciphertext?: Uint8Array): SeenPacket {
  if (ciphertext !== undefined) return { key: Buffer.from(ciphertext).toString('latin1'), hopLimit, isUnique: true };
  const fixed = Buffer.from(packet);
  for (const at of mutable) fixed[at] = 0;
  return { key: fixed.toString('latin1'), hopLimit, isUnique: false };
}
