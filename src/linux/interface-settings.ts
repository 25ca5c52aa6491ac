/**
 * Switches of one interface below /proc/sys/net (the kernel's ip-sysctl), in the network namespace of the calling thread.
 * Those of other interfaces, `all` and `default` are not touched.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { interfaceName } from './interface-name.ts';

/** IN6_ADDR_GEN_MODE_NONE: no link-local address of its own, as an interface of the kernel's WireGuard has none. */
const NO_LINK_LOCAL_ADDRESS: readonly Setting[] = [['ipv6', 'addr_gen_mode', '1']];

/** Routers are found by routing protocols that authenticate, never by what comes out of the tunnel. */
const NO_ROUTER_DISCOVERY: readonly Setting[] = [
  ['ipv6', 'accept_ra', '0'],
  ['ipv6', 'autoconf', '0'],
  ['ipv6', 'accept_redirects', '0'],
  ['ipv4', 'accept_redirects', '0'],
  ['ipv4', 'send_redirects', '0'],
];

type Setting = readonly [family: 'ipv4' | 'ipv6', name: string, value: string];

/** To be called before the interface is up. @returns what could not be set, as names of sysctl(8) */
export function forgoLinkLocalAddress(link: string): string[] {
  return apply(NO_LINK_LOCAL_ADDRESS, link);
}

/** @returns what could not be set, as names of sysctl(8): /proc/sys is not writable in some containers */
export function ignoreRouters(link: string): string[] {
  return apply(NO_ROUTER_DISCOVERY, link);
}

/** Whether nothing of the two functions above has been undone. The kernel forgets it where it takes IPv6 away (MTU). */
export function isClosed(link: string): boolean {
  return [...NO_LINK_LOCAL_ADDRESS, ...NO_ROUTER_DISCOVERY].every(
    ([family, name, value]) => (readSetting(family, name, link) ?? value) === value,
  );
}

/**
 * `off`: the interface takes no IPv6 address, as where somebody switched IPv6 off for `all` or as the `default`;
 * `missing`: the kernel runs without IPv6, or the interface has none (with an MTU below 1280).
 */
export type Ipv6State = 'on' | 'off' | 'missing';

export function ipv6State(link: string): Ipv6State {
  const value = readSetting('ipv6', 'disable_ipv6', link);
  if (value === undefined) return 'missing';
  return value === '0' ? 'on' : 'off';
}

/** On this interface alone. @returns whether it could be done: /proc/sys is not writable in some containers */
export function switchIpv6On(link: string): boolean {
  return apply([['ipv6', 'disable_ipv6', '0']], link).length === 0 && ipv6State(link) === 'on';
}

/** @returns `undefined` where there is no such setting */
function readSetting(family: Setting[0], name: string, link: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/${family}/conf/${interfaceName(link)}/${name}`, 'latin1').trim();
  } catch {
    return undefined;
  }
}

function apply(settings: readonly Setting[], link: string): string[] {
  return settings.flatMap(([family, name, value]) => {
    try {
      writeFileSync(`/proc/sys/net/${family}/conf/${interfaceName(link)}/${name}`, value);
      return [];
    } catch (error) {
      // Without the protocol there is nothing to switch off.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      return [`net.${family}.conf.${link}.${name}`];
    }
  });
}
