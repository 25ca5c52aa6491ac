/**
 * Which inner addresses a node may use besides its own: what is believed of the networks that others offer. Nothing that
 * no rule names, since whoever joins a mesh could otherwise draw everybody's traffic by offering `0.0.0.0/0`, or a part
 * of it by offering a longer prefix.
 */
import { prefixContains, prefixesEqual, type Prefix } from '../inet/index.ts';
import { MESH_PREFIX } from './address.ts';

export interface ImportRule {
  readonly prefix: Prefix;
  /** The prefix itself, or whatever lies in it. */
  readonly covers: 'exactly' | 'within';
  /** Node ids. */
  readonly from: 'any' | ReadonlySet<string>;
}

/** What the owner of this node says about networks. */
export interface NetworkPolicy {
  readonly imports: readonly ImportRule[];
  /** The prefixes that this node offers itself. */
  readonly own: readonly Prefix[];
}

export type OfferRefusal =
  | 'offer-not-imported'
  | 'offer-of-another-node-wanted'
  | 'offer-of-mesh-addresses'
  | 'offer-of-own-network'
  | 'offer-of-taken-address'
  | 'offer-table-full';

/** `named`: a rule lists the node by its id; `anybody`: any node would be believed. */
export type Entitlement = 'named' | 'anybody' | OfferRefusal;

export function entitlementOf(nodeId: string, prefix: Prefix, { imports, own }: NetworkPolicy): Entitlement {
  // An address in the mesh is an identity (DESIGN.md section 1): no rule gives it to anybody else.
  if (prefixContains(MESH_PREFIX, prefix)) return 'offer-of-mesh-addresses';
  const rules = imports.filter((rule) =>
    rule.covers === 'exactly' ? prefixesEqual(rule.prefix, prefix) : prefixContains(rule.prefix, prefix),
  );
  if (rules.length === 0) return 'offer-not-imported';
  if (own.some((network) => isPartOf(network, prefix))) return 'offer-of-own-network';
  if (rules.some(({ from }) => from !== 'any' && from.has(nodeId))) return 'named';
  return rules.some(({ from }) => from === 'any') ? 'anybody' : 'offer-of-another-node-wanted';
}

/**
 * Whether importing `prefix` would take away what we offer as `own`. Who leads to everywhere (`0.0.0.0/0`) may still
 * learn from others where a part of it is.
 */
export function isPartOf(own: Prefix, prefix: Prefix): boolean {
  return prefixesEqual(own, prefix) || (own.length > 0 && prefixContains(own, prefix));
}
