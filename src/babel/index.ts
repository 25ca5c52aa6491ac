/**
 * A Babel speaker: RFC 8966, with RFC 9616 (delay metric) and RFC 9229 (IPv4 routes over IPv6). `Speaker` is the machine,
 * the rest is what its inputs and outputs are made of. No sockets, no kernel routes, no authentication.
 */
export { BABEL_GROUP, BABEL_PORT, DEFAULT_TIMING, INFINITE, NOMINAL_COST, type Timing } from './constants.ts';
export { impliedRouterId, isRouterId, type RouterId } from './router-id.ts';
export { DEFAULT_RTT_COST, rttPenalty, type LinkKind, type RttCost } from './metric.ts';
export type { InterfaceOptions } from './link.ts';
export * from './speaker-interface.ts';
export * from './speaker.ts';
export { readPacket, type ReadPacket } from './packet-reader.ts';
export { isSeqnoLess, seqnoPlus } from './seqno.ts';
export { PacketWriter } from './packet-writer.ts';
export type * from './tlv.ts';
