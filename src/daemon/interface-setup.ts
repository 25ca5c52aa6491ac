import { existsSync } from 'node:fs';
import { WiremeshError } from '../error.ts';
import type { Prefix } from '../inet/index.ts';
import {
  addAddress,
  addRoute,
  forgoLinkLocalAddress,
  ignoreRouters,
  ipv6State,
  runIpBatch,
  setMtu,
  setUp,
  switchIpv6On,
} from '../linux/index.ts';
import { MESH_PREFIX } from '../mesh/index.ts';
import type { Logger } from './log.ts';

/** Addresses of the mesh are IPv6 addresses, and this host takes none. */
export class Ipv6OffError extends WiremeshError {
  readonly code = 'IPV6_OFF';
}

/** Gives the interface of a mesh its addresses and the route to the mesh. @throws Ipv6OffError, IpCommandError */
export async function setUpInterface(
  { link, mtu, addresses }: { readonly link: string; readonly mtu: number; readonly addresses: readonly Prefix[] },
  log: Logger,
): Promise<void> {
  requireIpv6(link, log);
  closeInterface(link, log);
  await runIpBatch([
    ...addresses.map(({ address, length }) => addAddress(link, address, length)),
    setMtu(link, mtu),
    setUp(link),
    addRoute(MESH_PREFIX, link),
  ]);
}

/** Where somebody switched IPv6 off for all interfaces, as Docker does, ours may have it all the same. */
function requireIpv6(link: string, log: Logger): void {
  if (!existsSync('/proc/net/if_inet6')) {
    throw new Ipv6OffError(
      'the kernel runs without IPv6, and addresses of the mesh are IPv6 addresses: start it without "ipv6.disable=1", ' +
        'or load the module ipv6',
    );
  }
  if (ipv6State(link) !== 'off') return;
  if (switchIpv6On(link)) return log.info(`IPv6 is off on this host: switched on for ${link} alone`);
  throw new Ipv6OffError(
    `IPv6 is off, and cannot be switched on for ${link}: run "sysctl net.ipv6.conf.default.disable_ipv6=0", or start the ` +
      'container with "--sysctl net.ipv6.conf.default.disable_ipv6=0"',
  );
}

/** What comes out of the tunnel is to configure nothing on this host: not an address, and not a route. */
function closeInterface(link: string, log: Logger): void {
  const open = [...forgoLinkLocalAddress(link), ...ignoreRouters(link)];
  if (open.length === 0) return;
  log.warn(`the host may believe routers at the other end of the tunnel: cannot set ${open.join(', ')}`);
}
