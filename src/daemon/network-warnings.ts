/** What keeps the networks of a configuration from working, as far as this host can tell. Nothing is changed here. */
import { readFileSync } from 'node:fs';
import { formatPrefix, isHostPrefix, type Prefix } from '../inet/index.ts';
import type { Networks } from './networks.ts';

const SWITCHES = { 4: 'net.ipv4.ip_forward', 6: 'net.ipv6.conf.all.forwarding' } as const;

/** In words, with what to do. */
export function networkWarnings(networks: Networks, isForwarding: (family: 4 | 6) => boolean = forwards): string[] {
  return [forwardingWarning(networks, isForwarding), sourceWarning(networks)].filter((words) => words !== undefined);
}

function forwardingWarning({ offers }: Networks, isForwarding: (family: 4 | 6) => boolean): string | undefined {
  const led = offers.map(({ prefix }) => prefix).filter((prefix) => !isHostPrefix(prefix));
  const off = ([4, 6] as const).filter((family) => led.some((prefix) => isOf(family, prefix)) && !isForwarding(family));
  if (off.length === 0) return undefined;
  const stuck = led.filter(({ address }) => off.includes(address.family)).map(formatPrefix);
  const switches = off.map((family) => `${SWITCHES[family]}=1`).join(' ');
  return `nobody gets through to ${stuck.join(', ')}: forwarding is off on this host; "sysctl ${switches}" turns it on`;
}

/** In IPv6 the address in the mesh serves. */
function sourceWarning({ imports, offers }: Networks): string | undefined {
  const isIpv4 = ({ prefix }: { readonly prefix: Prefix }) => isOf(4, prefix);
  if (!imports.some(isIpv4) || offers.some(isIpv4)) return undefined;
  return 'IPv4 networks are imported, but gateways know no way back: give this node an address = ["A.B.C.D/32"]';
}

function isOf(family: 4 | 6, { address }: Prefix): boolean {
  return address.family === family;
}

function forwards(family: 4 | 6): boolean {
  try {
    return readFileSync(`/proc/sys/${SWITCHES[family].replaceAll('.', '/')}`, 'latin1').trim() === '1';
  } catch {
    // A kernel without the protocol.
    return false;
  }
}
