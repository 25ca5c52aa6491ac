/**
 * A WireGuard interface that runs: the device thread with its event loop and data path, and UAPI, by which it is
 * configured (https://www.wireguard.com/xplatform/). It decides nothing of the protocol: that is src/wireguard.
 */
export * from './running-device.ts';
export * from './thread-messages.ts';
export * from './threads.ts';
export type { PacketLimit, PacketLimitChange } from './packet-limits.ts';
export type { PathCounters } from './path-counters.ts';
export type { RelayConfiguration } from './relay.ts';
export type { RelayRouteChange } from './relay-table.ts';
export { RELAY_PORT, TUNNEL_PORT } from '../packet/index.ts';
export * from './uapi-socket.ts';
export * from './uapi.ts';
