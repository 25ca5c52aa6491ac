import { formatAddress, type IpAddress } from '../inet/index.ts';
import { interfaceName } from './interface-name.ts';
import { namespaceName } from './netns.ts';

/**
 * Lines for `runIpBatch` that change links and their addresses. What they put in is checked, so that no name can become
 * another word of the command. @throws InterfaceNameError, NamespaceNameError
 */
export function setUp(link: string): string {
  return `link set dev ${interfaceName(link)} up`;
}

export function setDown(link: string): string {
  return `link set dev ${interfaceName(link)} down`;
}

export function setMtu(link: string, mtu: number): string {
  return `link set dev ${interfaceName(link)} mtu ${integer(mtu)}`;
}

/** Before Linux 6.2 an interface has to be down for it. */
export function renameLink(link: string, name: string): string {
  return `link set dev ${interfaceName(link)} name ${interfaceName(name)}`;
}

/** Those that the kernel gave the link by itself. */
export function deleteLinkLocalAddresses(link: string): string {
  return `address flush dev ${interfaceName(link)} to fe80::/10`;
}

export function deleteLink(link: string): string {
  return `link delete dev ${interfaceName(link)}`;
}

/** A pair of virtual Ethernet interfaces; each end may be made in a namespace of its own. */
export function addVethPair(a: LinkEnd, b: LinkEnd): string {
  return `link add ${linkEnd(a)} type veth peer ${linkEnd(b)}`;
}

export interface LinkEnd {
  readonly link: string;
  readonly namespace?: string;
}

export function addBridge(link: string): string {
  return `link add name ${interfaceName(link)} type bridge`;
}

export function attachToBridge(link: string, bridge: string): string {
  return `link set dev ${interfaceName(link)} master ${interfaceName(bridge)}`;
}

export function moveToNamespace(link: string, namespace: string): string {
  return `link set dev ${interfaceName(link)} netns ${namespaceName(namespace)}`;
}

/**
 * Gives `link` an address, or leaves it there: who starts again after a crash finds its own. IPv6 addresses are usable at
 * once (no duplicate address detection): they are ours by construction.
 */
export function addAddress(link: string, address: IpAddress, prefixLength: number): string {
  const suffix = address.family === 6 ? ' nodad' : '';
  return `address replace ${formatAddress(address)}/${integer(prefixLength)} dev ${interfaceName(link)}${suffix}`;
}

export function deleteAddress(link: string, address: IpAddress, prefixLength: number): string {
  return `address delete ${formatAddress(address)}/${integer(prefixLength)} dev ${interfaceName(link)}`;
}

function linkEnd({ link, namespace }: LinkEnd): string {
  return `name ${interfaceName(link)}${namespace === undefined ? '' : ` netns ${namespaceName(namespace)}`}`;
}

function integer(value: number): string {
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`not a whole number: ${value}`);
  return String(value);
}
