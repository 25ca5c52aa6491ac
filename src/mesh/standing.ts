/**
 * Why a node is known, and who has to make room for whom. Identities cost nothing, so those that nobody but themselves speaks
 * for have a small table of their own, do not stay, are told to nobody, and never drive out a node of another kind.
 */
import { formatAddress, isLinkLocal, type Endpoint } from '../inet/index.ts';
import { after, seconds, type Millis } from '../machine/index.ts';
import { toHex } from './hex.ts';

/** All but those that are merely claimed. */
export const MAX_NODES = 1024;
export const MAX_CLAIMED = 64;
/** So long a claimed node may stay without a session. */
export const CLAIM_LIFE = seconds(30);
/** So long nobody drives it out: a handshake takes a round trip. */
const CLAIM_GRACE = seconds(2);

export interface Standing {
  /** `proved`: it has had a session, or is pinned; `vouched`: a neighbour told us of it; `claimed`: it did so itself. */
  kind: 'proved' | 'vouched' | 'claimed';
  /** Whose share it takes: the node id of the neighbour, or the source that it answered from. */
  by: string;
  readonly since: Millis;
}

export interface Standee {
  readonly standing: Standing;
}

/** Whether no more nodes may come that are to stay. */
export function isTableFull(nodes: readonly Standee[]): boolean {
  return nodes.filter(({ standing }) => standing.kind !== 'claimed').length >= MAX_NODES;
}

/** One address, or one /64 of IPv6, since that is what one host can have for nothing. */
export function sourceKey({ address }: Pick<Endpoint, 'address'>): string {
  const isSubnet = address.family === 6 && !isLinkLocal(address);
  return isSubnet ? toHex(address.bytes.subarray(0, 8)) : formatAddress(address);
}

/**
 * Who goes so that one more can come of `kind` and of the share `by`.
 * @returns `undefined`: nobody has to; `full`: nobody may
 */
export function displacedBy<Node extends Standee>(
  { kind, by }: Pick<Standing, 'kind' | 'by'>,
  nodes: readonly Node[],
  now: Millis,
): Node | 'full' | undefined {
  if (kind === 'proved') return undefined;
  const lasting = nodes.filter(({ standing }) => standing.kind !== 'claimed');
  const claimed = nodes.filter(({ standing }) => standing.kind === 'claimed');
  if (kind === 'claimed') {
    // It is about to become one that stays: where there is no room for those, it would find none.
    if (lasting.length >= MAX_NODES) return 'full';
    return claimed.length < MAX_CLAIMED ? undefined : (fromLargestShare(by, claimed) ?? oldest(claimed, now) ?? 'full');
  }
  if (lasting.length < MAX_NODES) return undefined;
  const vouched = lasting.filter(({ standing }) => standing.kind === 'vouched');
  return fromLargestShare(by, vouched) ?? 'full';
}

/** The one that came last to the largest share, if that stays no smaller than the share of `by`. */
function fromLargestShare<Node extends Standee>(by: string, nodes: readonly Node[]): Node | undefined {
  const shares = new Map<string, Node[]>();
  for (const node of nodes) {
    const share = shares.get(node.standing.by);
    if (share === undefined) shares.set(node.standing.by, [node]);
    else share.push(node);
  }
  let largest: Node[] = [];
  for (const share of shares.values()) if (share.length > largest.length) largest = share;
  return largest.length > (shares.get(by)?.length ?? 0) + 1 ? largest.at(-1) : undefined;
}

function oldest<Node extends Standee>(nodes: readonly Node[], now: Millis): Node | undefined {
  const [first] = nodes;
  return after(first.standing.since, CLAIM_GRACE) <= now ? first : undefined;
}
