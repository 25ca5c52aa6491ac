/**
 * What the firewall of a mesh says (docs/decisions/0019-a-firewall-of-our-own.md), as a function of what it protects.
 * Linux takes a packet to one of its addresses from any interface (the weak host model of RFC 1122 §3.3.4.2), and any
 * router, DHCP server or redirect may add a route. So what belongs to the mesh comes in and goes out by our interface or
 * not at all, whatever the routing tables say.
 */
import { parsePrefix, prefixContains, type IpAddress, type Prefix } from '../inet/index.ts';
import {
  arrivedOn,
  bearsMark,
  counter,
  is,
  isIcmp,
  leavesBy,
  lies,
  type Expression,
  type NftChain,
  type NftRule,
  type NftTable,
} from '../linux/index.ts';
import { MESH_PREFIX } from '../mesh/index.ts';

export interface Protected {
  /** The name of our interface. The table outlives the interface. */
  readonly link: string;
  /** The mark of the device's own packets; 0 if they bear none. */
  readonly mark: number;
  /** Our addresses on the interface. */
  readonly own: readonly IpAddress[];
  /** Networks of others that the host has routes to, or will have. */
  readonly imported: readonly Prefix[];
  /** Networks whose packets leave through the mesh or not at all. */
  readonly blocked: readonly Prefix[];
  /** The subnets of the host's other interfaces. */
  readonly onLink: readonly Prefix[];
}

/** Before connections are tracked, as early as the table `raw` of iptables. */
const RAW_PRIORITY = -300;

/** Never routed: one link only, or many receivers (RFC 6890). */
const LINK_ONLY = prefixes('169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32', 'fe80::/10', 'ff00::/8');
/** Nobody's as a source inside the tunnel; see `isNobodysSource` in src/packet. */
const NOBODYS = prefixes(
  ...['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'],
  ...['::/16', 'fe80::/10', 'ff00::/8'],
);
/** Where networks of one's own lie (RFC 1918, RFC 6598, RFC 4193): nobody draws the internet's traffic with these. */
const PRIVATE = prefixes('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7');
/** Redirects of IPv4; router and neighbour discovery of IPv6 (RFC 792, RFC 4861). */
const CONFIGURES_HOSTS = { 4: [1, 5, 5], 6: [58, 133, 137] } as const;

export function tableName(link: string): string {
  return `wiremesh-${link}`;
}

/** Of the twins that nobody else can remove. */
export function heldTableName(link: string): string {
  return `${tableName(link)}-held`;
}

/** One table a family; both have the same name. */
export function firewallOf(what: Protected): NftTable[] {
  return ([4, 6] as const).map((family) => tableOf(what, family));
}

function tableOf(what: Protected, family: 4 | 6): NftTable {
  const { link, mark } = what;
  const marked: NftRule[] = mark === 0 ? [] : [{ when: bearsMark(mark), then: 'accept' }];
  const chains: NftChain[] = [
    { name: 'tunnel', rules: tunnelRules(family) },
    {
      name: 'in',
      hook: { at: 'prerouting', priority: RAW_PRIORITY },
      rules: [
        { when: arrivedOn(link), then: { goto: 'tunnel' } },
        { when: arrivedOn('lo'), then: 'accept' },
        ...inwardRules(what, family),
      ],
    },
    {
      name: 'out',
      hook: { at: 'postrouting', priority: RAW_PRIORITY },
      rules: [
        { when: leavesBy(link), then: 'accept' },
        { when: leavesBy('lo'), then: 'accept' },
        ...marked,
        ...outwardRules(what, family),
      ],
    },
  ];
  return { family, name: tableName(link), chains };
}

/** What comes out of the tunnel: the data path has looked at it already, and neither stands for the other. */
function tunnelRules(family: 4 | 6): NftRule[] {
  const [protocol, first, last] = CONFIGURES_HOSTS[family];
  return [
    ...ofFamily(NOBODYS, family).map((prefix) => drop(lies('source', prefix))),
    drop(isIcmp(protocol, first, last)),
  ];
}

function inwardRules({ own, imported, onLink }: Protected, family: 4 | 6): NftRule[] {
  const rules = own.filter((address) => address.family === family).map((address) => drop(is('destination', address)));
  // What goes on to other nodes is not for us to refuse: whether this host forwards is its owner's choice.
  if (family === 6) rules.unshift(drop(lies('source', MESH_PREFIX)));
  // A default route says nothing of where somebody is.
  const theirs = ofFamily(imported, family).filter(({ length }) => length > 0);
  const here = ofFamily(onLink, family).filter((subnet) => theirs.some((prefix) => prefixContains(prefix, subnet)));
  rules.push(...here.map((subnet): NftRule => ({ when: lies('source', subnet), then: 'accept' })));
  return [...rules, ...theirs.map((prefix) => drop(lies('source', prefix)))];
}

function outwardRules({ blocked, onLink }: Protected, family: 4 | 6): NftRule[] {
  const rules = family === 6 ? [drop(lies('destination', MESH_PREFIX))] : [];
  const kept = ofFamily(blocked, family);
  if (kept.length === 0) return rules;
  const isPrivate = (subnet: Prefix) => PRIVATE.some((prefix) => prefixContains(prefix, subnet));
  const local = [...ofFamily(LINK_ONLY, family), ...ofFamily(onLink, family).filter(isPrivate)];
  rules.push(...local.map((prefix): NftRule => ({ when: lies('destination', prefix), then: 'accept' })));
  return [...rules, ...kept.map((prefix) => drop(lies('destination', prefix)))];
}

function drop(when: readonly Expression[]): NftRule {
  return { when: [...when, counter()], then: 'drop' };
}

function ofFamily(all: readonly Prefix[], family: 4 | 6): Prefix[] {
  return all.filter(({ address }) => address.family === family);
}

function prefixes(...texts: readonly string[]): Prefix[] {
  return texts.map((text) => parsePrefix(text) as Prefix);
}
