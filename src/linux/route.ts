import { formatAddress, formatPrefix, type IpAddress, type Prefix } from '../inet/index.ts';
import { interfaceName } from './interface-name.ts';

/** Lines for `runIpBatch` that change routes. A route that is there already is replaced. @throws InterfaceNameError */
export function addRoute(prefix: Prefix, link: string, via?: IpAddress): string {
  const nextHop = via === undefined ? '' : ` via ${formatAddress(via)}`;
  return `route replace ${formatPrefix(prefix)}${nextHop} dev ${interfaceName(link)}`;
}

export function deleteRoute(prefix: Prefix, link: string): string {
  return `route delete ${formatPrefix(prefix)} dev ${interfaceName(link)}`;
}
