/**
 * Who is there, whom to trust, and how to reach them. `MeshNode` is the machine; the rest is what its inputs, outputs
 * and tests are made of. No relaying, no hole punching, no routing.
 */
export * from './node-interface.ts';
export * from './node.ts';
export type { BootstrapState } from './discovery.ts';
export * from './trust.ts';
export * from './known-nodes.ts';
export * from './identity.ts';
export * from './address.ts';
export * from './description.ts';
export { keyProofMessage } from './key-proof.ts';
export * from './entitlement.ts';
export * from './gateways.ts';
export * from './messages.ts';
export { MAX_MEMORY_BYTES, readMemory } from './memory/index.ts';
export type { Notice } from './silence/index.ts';
export * from './tunnel.ts';
export { MAX_NODES } from './standing.ts';
export type { HostAddress } from './unproved/index.ts';
export type { PacketLimit } from './path-mtu/index.ts';
export * from './hex.ts';
