/**
 * Where nothing is sent because somebody names it: to this host itself, to everybody on one of its links, or to a port of the
 * services that every host has. What the administrator names, and who has answered, is not asked here.
 */
import { addressFromBytes, embeddedIpv4, formatAddress, type Endpoint, type IpAddress } from '../../inet/index.ts';
import { isWorthDescribing } from '../endpoints.ts';

/** RFC 6335 §6: system ports. */
const FIRST_USER_PORT = 1024;

/** An address of this host, and the length of the prefix of its link. */
export interface HostAddress {
  readonly address: IpAddress;
  readonly prefixLength: number;
}

export class Targets {
  readonly #isOwnPort: (port: number) => boolean;
  #refused: ReadonlySet<string> = new Set();

  /** `isOwnPort`: whether this node is bound to it, as the others of its mesh may be then. */
  constructor(isOwnPort: (port: number) => boolean) {
    this.#isOwnPort = isOwnPort;
  }

  /** All addresses that this host has, whether others are told of them or not. */
  handleHost(addresses: readonly HostAddress[]): void {
    this.#refused = new Set(addresses.flatMap((own) => [own.address, ...broadcastsOf(own)]).map(formatAddress));
  }

  refuses({ address, port }: Endpoint): boolean {
    if (port < FIRST_USER_PORT && !this.#isOwnPort(port)) return true;
    if (this.#refused.has(formatAddress(address)) || !isWorthDescribing({ address, port })) return true;
    const inside = embeddedIpv4(address);
    return inside !== undefined && this.#refused.has(formatAddress(inside));
  }
}

/** RFC 919 §7: all ones; RFC 1122 §3.3.6: all zeros, of old. A link of two addresses has neither (RFC 3021). */
function broadcastsOf({ address, prefixLength }: HostAddress): IpAddress[] {
  if (address.family === 6 || prefixLength > 30) return [];
  const hostBits = (i: number) => 0xff >> Math.min(8, Math.max(0, prefixLength - i * 8));
  const ones = address.bytes.map((byte, i) => byte | hostBits(i));
  const zeros = address.bytes.map((byte, i) => byte & ~hostBits(i));
  return [ones, zeros].map(addressFromBytes);
}
