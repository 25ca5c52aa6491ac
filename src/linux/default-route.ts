import { readFileSync } from 'node:fs';

/** Of proc_net_route and its IPv6 counterpart: where in a line, between spaces, what stands. */
const V4 = { link: 0, destination: 1, mask: 7 } as const;
const V6 = { destination: 0, prefixLength: 1, link: 9 } as const;

/** The names of the links that a default route of the main tables leads to, of either family. */
export function defaultRouteLinks(): Set<string> {
  return new Set([
    ...linesOf('/proc/net/route').flatMap((words) =>
      isZero(words[V4.destination]) && isZero(words[V4.mask]) ? [words[V4.link]] : [],
    ),
    // What is unreachable leads to the loopback.
    ...linesOf('/proc/net/ipv6_route').flatMap((words) =>
      isZero(words[V6.destination]) && isZero(words[V6.prefixLength]) && words[V6.link] !== 'lo'
        ? [words[V6.link]]
        : [],
    ),
  ]);
}

/** None where the kernel has no such family. */
function linesOf(file: string): string[][] {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').map((line) => line.trim().split(/\s+/));
}

function isZero(digits: string | undefined): boolean {
  return digits !== undefined && /^0+$/.test(digits);
}
