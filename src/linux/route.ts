import { formatAddress, formatPrefix, type IpAddress, type Prefix } from '../inet/index.ts';
import { interfaceName } from './interface-name.ts';

/** Lines for `runIpBatch` that change routes. A route that is there already is replaced. @throws InterfaceNameError */
export function addRoute(prefix: Prefix, link: string, via?: IpAddress): string {
  // An IPv4 route may lead to an IPv6 address, if that is said.
  const family = via?.family === 6 && prefix.address.family === 4 ? 'inet6 ' : '';
  const nextHop = via === undefined ? '' : ` via ${family}${formatAddress(via)}`;
  return `route replace ${formatPrefix(prefix)}${nextHop} dev ${interfaceName(link)}`;
}

export function deleteRoute(prefix: Prefix, link: string): string {
  return `route delete ${formatPrefix(prefix)} dev ${interfaceName(link)}`;
}

/** Packets for the prefix are refused, whatever shorter prefixes there are routes for. */
export function addUnreachable(prefix: Prefix): string {
  return `route replace unreachable ${formatPrefix(prefix)}`;
}

/** Whatever kind it is of. */
export function deleteAnyRoute(prefix: Prefix): string {
  return `route delete ${formatPrefix(prefix)}`;
}
