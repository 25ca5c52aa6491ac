/**
 * Firewall tables of one's own, by netlink: what they hold, and how they come, stay and go. Specified by nft(8), netlink(7)
 * and the kernel's public headers. No other table is touched, nothing is listed, and connections are not tracked.
 */
export * from './expressions.ts';
export type { NftChain, NftHook, NftRule, NftTable } from './table.ts';
export { hasTable, OwnedTables, putTables, removeTable, TableMonitor } from './socket.ts';
