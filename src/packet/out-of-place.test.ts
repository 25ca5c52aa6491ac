import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from '../inet/index.ts';
import { packetOf } from '../../test/packets.ts';
import { isOutOfPlace } from './out-of-place.ts';

const HOP_BY_HOP = 0;
const TCP = 6;
const UDP = 17;
const ROUTING = 43;
const FRAGMENT = 44;
const ICMPV6 = 58;
const NO_NEXT_HEADER = 59;
const DESTINATION_OPTIONS = 60;

/** Headers one behind the other, each with the number by which the one before tells of it. */
type Header = readonly [number, ...(readonly number[])];

/** IPv6 with these headers; the second byte of each has room for its own "next header" in front. */
function ipv6(headers: readonly Header[], destination = 'fd77::2'): Uint8Array {
  const rest = headers.flatMap(([, ...bytes], i) => (i === headers.length - 1 ? bytes : [headers[i + 1][0], ...bytes]));
  const packet = new Uint8Array(40 + rest.length);
  packet.set([0x60, 0, 0, 0, rest.length >> 8, rest.length & 255, headers[0][0], 64]);
  packet.set(parseAddress('fd77::1')!.bytes, 8);
  packet.set(parseAddress(destination)!.bytes, 24);
  packet.set(rest, 40);
  return packet;
}

function ipv4(destination: string, options: readonly number[] = []): Uint8Array {
  const packet = new Uint8Array(20 + options.length + 8);
  packet.set([0x45 + options.length / 4, 0, 0, packet.length, 0, 0, 0, 0, 64, UDP]);
  packet.set(parseAddress(destination)!.bytes, 16);
  packet.set(options, 20);
  return packet;
}

const PLAIN: Header = [UDP, 0, 1, 0, 1, 0, 8, 0, 0];
const PADDING: Header = [HOP_BY_HOP, 0, 1, 4, 0, 0, 0, 0];
const FIRST_FRAGMENT: Header = [FRAGMENT, 0, 0, 1, 0, 0, 0, 7];
const HOME_ADDRESS: Header = [DESTINATION_OPTIONS, 2, 1, 2, 0, 0, 0xc9, 16, ...new Array<number>(16).fill(0xfd)];

const misplaced: [string, Uint8Array][] = [
  ['a router solicitation', ipv6([[ICMPV6, 133, 0, 0, 0, 0, 0, 0, 0]])],
  ['a router advertisement', ipv6([[ICMPV6, 134, 0, 0, 0, 0, 0, 0, 0]])],
  ['a redirect', ipv6([[ICMPV6, 137, 0, 0, 0, 0, 0, 0, 0]])],
  ['a redirect behind options', ipv6([PADDING, [ICMPV6, 137, 0, 0, 0, 0, 0, 0, 0]])],
  ['an advertisement in a first fragment', ipv6([FIRST_FRAGMENT, [ICMPV6, 136, 0, 0, 0, 0, 0, 0, 0]])],
  ['an error behind options', ipv6([PADDING, [ICMPV6, 1, 0, 0, 0, 0, 0, 0, 0]])],
  ['a routing header', ipv6([[ROUTING, 2, 0, 1, 0, 0, 0, 0, ...new Array<number>(16).fill(1)], PLAIN])],
  ['a routing header behind options', ipv6([PADDING, [ROUTING, 0, 4, 0, 0, 0, 0, 0], PLAIN])],
  ['another source in the options', ipv6([HOME_ADDRESS, PLAIN])],
  ['another source in options of a fragment', ipv6([FIRST_FRAGMENT, HOME_ADDRESS, PLAIN])],
  ['an extension header that is cut off', ipv6([[DESTINATION_OPTIONS, UDP, 9, 1, 4, 0, 0, 0, 0]])],
  ['extension headers without end', ipv6([...new Array<Header>(9).fill(PADDING), PLAIN])],
  ['IPv6 to all on the link', ipv6([PLAIN], 'ff02::1')],
  ['IPv6 to a link-local address', ipv6([PLAIN], 'fe80::1')],
  ['IPv4 to many', ipv4('224.0.0.251')],
  ['IPv4 to all', ipv4('255.255.255.255')],
  ['IPv4 to a link-local address', ipv4('169.254.169.254')],
  ['a loose source route', ipv4('10.0.0.1', [1, 131, 7, 4, 10, 0, 0, 9])],
  ['a strict source route', ipv4('10.0.0.1', [137, 7, 4, 10, 0, 0, 9, 0])],
  ['an IPv4 header longer than the packet', Uint8Array.from(ipv4('10.0.0.1'), (byte, i) => (i === 0 ? 0x4f : byte))],
];
const usual: [string, Uint8Array][] = [
  ['TCP', packetOf({ family: 6, protocol: TCP })],
  ['UDP', packetOf({ family: 6, protocol: UDP })],
  ['IPv4', packetOf({ family: 4, protocol: TCP })],
  ['a ping', ipv6([[ICMPV6, 128, 0, 0, 0, 0, 0, 0, 0]])],
  ['Packet Too Big', ipv6([[ICMPV6, 2, 0, 0, 0, 0, 0, 0, 0]])],
  ['options that say nothing', ipv6([PADDING, PLAIN])],
  ['a first fragment', ipv6([FIRST_FRAGMENT, PLAIN])],
  [
    'a later fragment, whatever is in it',
    ipv6([
      [FRAGMENT, 0, 1, 0, 0, 0, 0, 7],
      [ICMPV6, 137, 0, 0, 0, 0, 0, 0, 0],
    ]),
  ],
  ['nothing behind the header', ipv6([[NO_NEXT_HEADER]])],
  ['IPv4 with an option', ipv4('10.0.0.1', [148, 4, 0, 0])],
];

describe('a packet out of a tunnel of the mesh', () => {
  for (const [what, packet] of misplaced)
    it(`is out of place if it is ${what}`, () => assert.ok(isOutOfPlace(packet, 0, packet.length)));
  for (const [what, packet] of usual)
    it(`is in its place if it is ${what}`, () => assert.ok(!isOutOfPlace(packet, 0, packet.length)));

  it('is judged whatever is in it, by its own bytes alone', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 120 }), fc.nat(255), fc.boolean(), (body, byte, isV6) => {
        body[0] = isV6 ? 0x60 : 0x40 | (body[0] & 15);
        if (isV6) body.set([0xfd, 0x77], 24);
        body[6] = [HOP_BY_HOP, DESTINATION_OPTIONS, FRAGMENT][byte % 3];
        const around = new Uint8Array(body.length + 64).fill(byte);
        around.set(body, 32);
        assert.equal(isOutOfPlace(around, 32, body.length), isOutOfPlace(body, 0, body.length));
      }),
      { numRuns: 5000 },
    );
  });
});
