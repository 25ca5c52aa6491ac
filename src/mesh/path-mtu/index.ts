/**
 * The path MTU to one node: how long a packet inside the session may be to arrive there, found by sending packets of that
 * length and seeing whether they are answered (RFC 8899, "Datagram PLPMTUD"). No word of a router is believed, and none is
 * needed. Lengths are those of packets inside the tunnel. It neither sends nor tells the host: its owner does.
 */
export * from './path-mtus.ts';
export * from './path-mtu.ts';
export { BASE_MTU, longestOverRelays } from './sizes.ts';
