/**
 * Which of a host's addresses are told to others, the most useful first: a description holds some only, and each that is of
 * no use costs whoever tries it a Hello.
 */
import type { IpAddress } from '../inet/index.ts';
import type { Link, LinkAddress } from '../linux/index.ts';

/** Links that a program makes for its own machines, and tunnels: seldom does anybody else get there. */
const INNER_KINDS = ['bridge', 'dummy', 'ifb', 'nlmon'];

/** Those of the links that default routes lead to, then of others, then of bridges, then of tunnels and the loopback. */
export function inOrderOfUse(
  addresses: readonly LinkAddress[],
  links: readonly Link[],
  defaultLinks: ReadonlySet<string>,
): LinkAddress[] {
  const linkOf = new Map(links.map((link) => [link.index, link]));
  const rank = ({ interfaceIndex, address }: LinkAddress) =>
    2 * rankOf(linkOf.get(interfaceIndex), defaultLinks) + (isGloballyRoutable(address) ? 0 : 1);
  const ranks = [...new Set(addresses.map(rank))].sort((a, b) => a - b);
  return ranks.flatMap((wanted) => alternating(addresses.filter((entry) => rank(entry) === wanted)));
}

function rankOf(link: Link | undefined, defaultLinks: ReadonlySet<string>): number {
  if (link === undefined) return 4;
  if (defaultLinks.has(link.name)) return 0;
  if (link.isLoopback) return 4;
  if (link.isPointToPoint) return 3;
  return INNER_KINDS.includes(link.kind ?? '') ? 2 : 1;
}

/** So that a host with many addresses of one family is still told with both. */
function alternating(addresses: readonly LinkAddress[]): LinkAddress[] {
  const v4 = addresses.filter(({ address }) => address.family === 4);
  const v6 = addresses.filter(({ address }) => address.family === 6);
  const length = Math.max(v4.length, v6.length);
  return Array.from({ length }, (_, i) => [...v6.slice(i, i + 1), ...v4.slice(i, i + 1)]).flat();
}

/** RFC 1918, RFC 6598 and RFC 4193 say which are not. */
function isGloballyRoutable({ bytes, family }: IpAddress): boolean {
  if (family === 6) return (bytes[0] & 0xfe) !== 0xfc;
  const [first, second] = bytes;
  if (first === 10 || (first === 192 && second === 168)) return false;
  return !(first === 172 && second >> 4 === 1) && !(first === 100 && second >> 6 === 1);
}
