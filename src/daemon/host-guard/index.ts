/**
 * What a mesh has put up on its host stays there: the interface and its state, its addresses, routes and rules. Whatever
 * somebody else removes or changes is put back within a second, and said (docs/field.md). Nothing here keeps packets from
 * going astray meanwhile: that is what the firewall is for (src/daemon/firewall.ts).
 */
export * from './wanted.ts';
export { HostGuard, type GuardWorld } from './host-guard.ts';
export type { Flaw } from './flaws.ts';
