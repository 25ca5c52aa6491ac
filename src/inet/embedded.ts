/** IPv4 addresses in the clothes of IPv6: what is sent to one of these may arrive at the IPv4 address inside. */
import { addressFromBytes, parseAddress, type IpAddress } from './address.ts';
import { prefixContains, prefixOf, type Prefix } from './prefix.ts';

/** Where the four bytes of IPv4 lie; `mask` is what they are combined with. */
const FORMS: readonly { prefix: Prefix; offset: number; mask: number }[] = [
  // RFC 4291 §2.5.5: compatible, mapped; RFC 2765 §2.1: translated.
  { prefix: prefix('::', 96), offset: 12, mask: 0 },
  { prefix: prefix('::ffff:0:0', 96), offset: 12, mask: 0 },
  { prefix: prefix('::ffff:0:0:0', 96), offset: 12, mask: 0 },
  // RFC 6052 §2.1, RFC 8215: NAT64.
  { prefix: prefix('64:ff9b::', 96), offset: 12, mask: 0 },
  { prefix: prefix('64:ff9b:1::', 48), offset: 12, mask: 0 },
  // RFC 3056 §2: 6to4.
  { prefix: prefix('2002::', 16), offset: 2, mask: 0 },
  // RFC 4380 §4: Teredo, where the client's address is inverted.
  { prefix: prefix('2001::', 32), offset: 12, mask: 0xff },
];

/** The IPv4 addresses in `address`, if it is made to hold one. */
export function embeddedIpv4(address: IpAddress): IpAddress | undefined {
  if (address.family === 4) return undefined;
  const host = prefixOf(address, 128);
  const form = FORMS.find(({ prefix: outer }) => prefixContains(outer, host));
  // RFC 5214 §6.1: ISATAP, under any prefix.
  const isIsatap = (address.bytes[8] & 0xfd) === 0 && [0, 0x5e, 0xfe].every((byte, i) => address.bytes[9 + i] === byte);
  if (form === undefined && !isIsatap) return undefined;
  const { offset, mask } = form ?? { offset: 12, mask: 0 };
  return addressFromBytes(address.bytes.slice(offset, offset + 4).map((byte) => byte ^ mask));
}

function prefix(text: string, length: number): Prefix {
  return prefixOf(parseAddress(text) as IpAddress, length);
}
