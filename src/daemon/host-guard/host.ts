/** The host as a guard sees it and changes it. */
import { existsSync, readFileSync } from 'node:fs';
import {
  deleteLinkLocalAddresses,
  forgoLinkLocalAddress,
  ignoreRouters,
  ipv6State,
  isClosed,
  listAddresses,
  listLinks,
  listRoutesTo,
  listRules,
  runIpLines,
  switchIpv6On,
} from '../../linux/index.ts';
import type { Flaw } from './flaws.ts';
import type { SeenHost } from './wanted.ts';

/** @returns `undefined` where the network namespace has no such interface. @throws SystemCallError */
export function lookAtHost(interfaceIndex: number): SeenHost | undefined {
  const link = listLinks().find(({ index }) => index === interfaceIndex);
  if (link === undefined) return undefined;
  return {
    link,
    ipv6: ipv6State(link.name),
    isClosed: isClosed(link.name),
    addresses: listAddresses(),
    routes: listRoutesTo(interfaceIndex),
    rules: listRules(),
  };
}

/** `onError` hears of what could not be mended, and why if that is known. */
export async function mend(
  flaws: readonly Flaw[],
  link: string,
  onError: (flaw: Flaw, why?: string) => void,
): Promise<void> {
  for (const flaw of flaws) {
    if (flaw.kind === 'ipv6' && !switchIpv6On(link)) onError(flaw);
    if (flaw.kind === 'settings') await closeAgain(flaw, link, onError);
  }
  // `ip` wants to be told of which family a rule is.
  for (const family of [4, 6, undefined] as const) {
    const ofFamily = flaws.filter((flaw) => flaw.family === family);
    const lines = ofFamily.flatMap((flaw) => flaw.lines);
    if (lines.length === 0) continue;
    await runIpLines(
      lines,
      (error) => {
        const flaw = ofFamily.find((other) => other.lines.includes(error.line));
        if (flaw !== undefined) onError(flaw, error.message);
      },
      family === undefined ? {} : { family },
    );
  }
}

/** An interface that lost IPv6 and got it back has forgotten its settings, and made itself a link-local address. */
async function closeAgain(flaw: Flaw, link: string, onError: (flaw: Flaw, why?: string) => void): Promise<void> {
  const open = [...forgoLinkLocalAddress(link), ...ignoreRouters(link)];
  if (open.length > 0) onError(flaw, `cannot set ${open.join(', ')}`);
  await runIpLines([deleteLinkLocalAddresses(link)], (error) => onError(flaw, error.message));
}

/** The name of a process, where it runs yet: netlink tells the number of a socket, which most often is its process's. */
export function nameOfProcess(id: number): string | undefined {
  try {
    return `${readFileSync(`/proc/${id}/comm`, 'utf8').trim()} (process ${id})`;
  } catch {
    return undefined;
  }
}

export function runsNetworkd(): boolean {
  return existsSync('/run/systemd/netif/links');
}
