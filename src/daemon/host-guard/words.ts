/** What an administrator is told when something of the mesh was missing on the host. */
import type { Flaw } from './flaws.ts';

export interface Repair {
  /** What was wrong to begin with, less what followed from it. At least one. */
  readonly flaws: readonly Flaw[];
  /** A process that is known to have done it. */
  readonly who: string | undefined;
  /** The interface was off, or its MTU too small, for a moment: what was missing went with that. */
  readonly passing: string | undefined;
  /** How long it will be left as it is the next time: it has been removed again and again. */
  readonly pauseMs: number;
  /** Families without the rule that leads to the main table. */
  readonly withoutMainRule: readonly (4 | 6)[];
  /** systemd-networkd runs on this host. */
  readonly hasNetworkd: boolean;
}

const MAX_NAMED = 4;

export function describeRepair({ flaws, who, passing, pauseMs, withoutMainRule, hasNetworkd }: Repair): string {
  const deeds = flaws.filter(isDeed).map(({ words }) => words);
  const removed = flaws.filter((flaw) => !isDeed(flaw));
  if (passing !== undefined) deeds.unshift(passing);
  const tail = deeds.length > 0 ? 'with its addresses and routes' : '';
  if (deeds.length === 0 || removed.some(({ kind }) => kind === 'rule')) deeds.push(`removed ${listOf(removed)}`);
  const done = tail === '' ? 'put back' : `put back, ${tail}`;
  const sentences = [`${who ?? 'somebody'} ${deeds.join(', and ')}: ${done}`];
  if (pauseMs > 0) {
    sentences.push(`this happens again and again: the next time it stays as it is for ${Math.round(pauseMs / 1000)} s`);
  }
  const rules = removed.filter(({ kind }) => kind === 'rule').length;
  if (who?.startsWith('systemd-network') || (hasNetworkd && rules > 1 && withoutMainRule.length === 0)) {
    sentences.push(
      'if it was systemd-networkd that started: "ManageForeignRoutingPolicyRules=no" and "ManageForeignRoutes=no" in ' +
        '/etc/systemd/networkd.conf keep it from that',
    );
  }
  for (const family of withoutMainRule) {
    sentences.push(
      `this host has no IPv${family} rule for its main table any more, which is not for wiremesh to put back: ` +
        `"ip -${family} rule add priority 32766 table main"`,
    );
  }
  return sentences.join('; ');
}

/** What cannot be mended here, and what to do. */
export function describeFailure(flaw: Flaw, why: string | undefined, link: string): string {
  if (flaw.kind === 'ipv6') {
    return (
      `IPv6 is off on ${link}, and nothing of the mesh works without it: "sysctl net.ipv6.conf.${link}.disable_ipv6=0" ` +
      'switches it on (in a container: start it with "--sysctl net.ipv6.conf.all.disable_ipv6=0")'
    );
  }
  const what = isDeed(flaw) ? `somebody ${flaw.words}` : `${flaw.words} is missing`;
  return `${what}, and it cannot be put back${why === undefined ? '' : `: ${why}`}`;
}

/** Of others the words say what is missing. */
function isDeed({ kind }: Flaw): boolean {
  return kind === 'link' || kind === 'ipv6';
}

function listOf(flaws: readonly Flaw[]): string {
  const named = flaws.slice(0, MAX_NAMED).map(({ words }) => words);
  const rest = flaws.length - named.length;
  return rest > 0 ? `${named.join(', ')} and ${rest} more` : named.join(', ');
}
