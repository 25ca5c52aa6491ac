import { addressesEqual, formatAddress, type Prefix } from '../inet/index.ts';
import { listAddresses, listLinks, type Link, type LinkAddress } from '../linux/index.ts';
import { ConfigError } from './config.ts';

/** What a host has, and the name of the mesh's interface. */
export interface HostAddresses {
  readonly addresses: readonly LinkAddress[];
  readonly links: readonly Pick<Link, 'index' | 'name'>[];
  readonly tunnel: string;
}

/** As they are now. */
export function hostAddresses(tunnel: string): HostAddresses {
  return { addresses: listAddresses(), links: listLinks(), tunnel };
}

/**
 * An address of the mesh is the mesh's alone: the firewall would keep its packets off the link that has it, too, and with it
 * whoever administers the host over that link.
 * @throws ConfigError where an address of the configuration is on another interface
 */
export function refuseTakenAddresses(own: readonly Prefix[], { addresses, links, tunnel }: HostAddresses): void {
  for (const { address } of own) {
    for (const taken of addresses.filter((entry) => addressesEqual(entry.address, address))) {
      const name = links.find(({ index }) => index === taken.interfaceIndex)?.name;
      if (name === tunnel) continue;
      const text = formatAddress(address);
      throw new ConfigError(
        `address: ${text} is an address of ${name} already: choose one that no interface has, or, to lead others to it, ` +
          `offer it: [[network]] prefix = "${text}/${8 * address.bytes.length}"`,
      );
    }
  }
}
