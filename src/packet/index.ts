/**
 * IP packets on the wire, for the offloads of a TUN device: headers, checksums (RFC 1071), cutting large packets and
 * putting segments together again. Pure functions and objects on the caller's buffers; nothing is allocated per packet
 * beyond views. It does not route.
 */
export * from './ip.ts';
export * from './tcp.ts';
export * from './udp.ts';
export * from './checksum.ts';
export * from './checksums.ts';
export { CHECKSUM_MODULE } from './checksum-module.ts';
export * from './icmp.ts';
export * from './ecn.ts';
export * from './nobodys-source.ts';
export * from './out-of-place.ts';
export * from './quoted-packet.ts';
export * from './relay-header.ts';
export * from './tunnel-message.ts';
export * from './virtio.ts';
export * from './segment.ts';
export * from './coalesce.ts';
export * from './fragment.ts';
