/** What a mesh has put up on this host, and wants there for as long as it runs. */
import type { Prefix } from '../../inet/index.ts';
import type { HostRoute, HostRule, Ipv6State, Link, LinkAddress, Rule, TableRoute } from '../../linux/index.ts';

export interface WantedHost {
  readonly link: { readonly index: number; readonly name: string; readonly mtu: number };
  /** Of the interface, each with the length of its prefix. */
  readonly addresses: readonly Prefix[];
  /** In the main table. */
  readonly meshPrefix: Prefix;
  readonly routes: readonly TableRoute[];
  readonly rules: readonly WantedRule[];
}

export interface WantedRule {
  readonly family: 4 | 6;
  readonly rule: Rule;
}

/** What is there. */
export interface SeenHost {
  readonly link: Pick<Link, 'name' | 'up' | 'mtu'>;
  readonly ipv6: Ipv6State;
  /** Nothing that comes out of the tunnel configures the host. */
  readonly isClosed: boolean;
  readonly addresses: readonly LinkAddress[];
  /** That lead to the interface. */
  readonly routes: readonly HostRoute[];
  readonly rules: readonly HostRule[];
}
