/** What the configuration says of networks: its own addresses and offers, and whose offers it believes. */
import { DEFAULT_PREFERENCE, type KeyPath, type Settings } from '../api/index.ts';
import { formatPrefix, parsePrefix, prefixContains, prefixesEqual, type Prefix } from '../inet/index.ts';
import { isPartOf, MAX_NETWORKS, MESH_PREFIX, ROUTED, type ImportRule, type OfferedNetwork } from '../mesh/index.ts';

export type NetworkSettings = Pick<Settings, 'address' | 'network' | 'import'>;

export interface Networks {
  /** Of the interface, besides the one in the mesh. Each is an offer, too: others are to know the way to it. */
  readonly addresses: readonly Prefix[];
  readonly offers: readonly OfferedNetwork[];
  readonly imports: readonly ImportRule[];
  /** Imported networks whose packets leave through the mesh or not at all. */
  readonly blocked: readonly Prefix[];
}

export function networksOf({ address = [], network = [], import: imports = [] }: NetworkSettings): Networks {
  const addresses = address.map(prefixOfText);
  const own = addresses.map((prefix) => ({ prefix, kind: ROUTED, preference: DEFAULT_PREFERENCE }));
  const networks = network.map(({ prefix, preference }) => ({
    prefix: prefixOfText(prefix),
    kind: ROUTED,
    preference,
  }));
  const blocked = imports.filter(mustNotLeak).map(({ prefix, within }) => prefixOfText((prefix ?? within) as string));
  return { addresses, offers: [...own, ...networks], imports: imports.map(ruleOf), blocked };
}

/** Whoever imports a default route does so lest others see the traffic; other networks are imported to be reached. */
function mustNotLeak({ prefix, within, leak }: NonNullable<Settings['import']>[number]): boolean {
  const isDefaultRoute = prefixOfText((prefix ?? within) as string).length === 0;
  return (leak ?? (isDefaultRoute ? 'block' : 'allow')) === 'block';
}

/** Two settings that cannot be meant together, told at the second; the message completes "KEY …". */
export interface Contradiction {
  readonly path: KeyPath;
  readonly message: string;
}

export function contradictionIn(settings: NetworkSettings): Contradiction | undefined {
  const { addresses, offers, imports } = networksOf(settings);
  const pathOf = (i: number): KeyPath =>
    i < addresses.length ? ['address', i] : ['network', i - addresses.length, 'prefix'];
  for (const [i, { prefix }] of offers.entries()) {
    if (prefixContains(MESH_PREFIX, prefix)) return { path: pathOf(i), message: MESH_ADDRESSES };
    const isTwice = offers.slice(0, i).some((other) => prefixesEqual(other.prefix, prefix));
    if (isTwice) return { path: pathOf(i), message: `offers ${formatPrefix(prefix)} a second time` };
    if (i >= MAX_NETWORKS) {
      return { path: pathOf(i), message: `is one too many: a node can offer ${MAX_NETWORKS} networks and addresses` };
    }
  }
  for (const [i, { prefix, covers }] of imports.entries()) {
    const path = ['import', i, covers === 'exactly' ? 'prefix' : 'within'];
    if (prefixContains(MESH_PREFIX, prefix)) return { path, message: MESH_ADDRESSES };
    const own = offers.find((offer) => isPartOf(offer.prefix, prefix));
    if (own === undefined) continue;
    const what = prefixesEqual(own.prefix, prefix) ? 'is' : 'is a part of';
    return { path, message: `${what} ${formatPrefix(own.prefix)}, which this node offers itself` };
  }
  return undefined;
}

const MESH_ADDRESSES = `must not lie in ${formatPrefix(MESH_PREFIX)}, where each address is a node's own`;

function ruleOf({ prefix, within, from }: NonNullable<Settings['import']>[number]): ImportRule {
  return {
    prefix: prefixOfText((prefix ?? within) as string),
    covers: prefix === undefined ? 'within' : 'exactly',
    from: from === 'any' ? from : new Set(from),
  };
}

/** The schema has let it through. */
function prefixOfText(text: string): Prefix {
  return parsePrefix(text) as Prefix;
}
