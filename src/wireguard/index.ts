/**
 * The WireGuard protocol, without I/O: bytes, time and randomness come in, datagrams and packets go out.
 * Specification: the whitepaper (https://www.wireguard.com/papers/wireguard.pdf) and the Noise Protocol Framework.
 * It opens no socket, reads no clock, and holds no cryptography: `Primitives` are handed in. src/device makes a
 * network interface of it.
 */
export * from './device.ts';
export * from './peer.ts';
export * from './configuration.ts';
export { KeypairOf, maySeal } from './keypair.ts';
export * from './shared-session.ts';
export * from './transport.ts';
export * from './allowed-ips.ts';
export type { HandshakeSecrets, SessionKeys } from './handshake.ts';
export type { DropCounts, DropReason } from './drop-reason.ts';
export { TIMING, type Timing } from './constants.ts';
