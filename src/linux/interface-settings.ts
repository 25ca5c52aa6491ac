/**
 * Switches of one interface below /proc/sys/net (the kernel's ip-sysctl), in the network namespace of the calling thread.
 * Those of other interfaces, `all` and `default` are not touched.
 */
import { writeFileSync } from 'node:fs';
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
