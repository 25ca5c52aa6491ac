/** What attackers send: messages of the mesh, and IPv6 packets in hexadecimal, as raw-sender.ts takes them. */
import { identityPrimitives } from '../../src/crypto/node.ts';
import { parseAddress } from '../../src/inet/index.ts';
import { meshTag, NO_SIGNATURE, writeMessage, type Hello } from '../../src/mesh/index.ts';
import { naiveChecksum } from '../packets.ts';

const UDP = 17;
const ICMPV6 = 58;

/** The tag of the mesh that daemons are in by default. */
export const TAG = meshTag('wiremesh', identityPrimitives);

/** A Hello in the name of a node that has forgotten everything, without the node's signature; without more, a beacon. */
export function forgedHello(
  { nodeId, sequence }: Pick<Hello, 'nodeId' | 'sequence'>,
  { challenge = 0n, echo = 0n }: Partial<Pick<Hello, 'challenge' | 'echo'>> = {},
): Uint8Array {
  const rest = { knownSequence: 0, target: undefined, signature: NO_SIGNATURE, pleaseAnswer: challenge !== 0n };
  return writeMessage({ kind: 'hello', nodeId, sequence, challenge, echo, ...rest }, TAG);
}

/** A UDP datagram, whoever `from` belongs to. */
export function udpDatagram(
  place: { from: string; fromPort?: number; to: string; port: number },
  payload: Uint8Array,
): string {
  const datagram = new Uint8Array(8 + payload.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, place.fromPort ?? 40_000);
  view.setUint16(2, place.port);
  view.setUint16(4, datagram.length);
  datagram.set(payload, 8);
  return packet({ ...place, protocol: UDP, hopLimit: 64 }, datagram, 6);
}

/** A router advertisement (RFC 4861 §4.2): `prefix` is on the link, and an address may be made of it. */
export function routerAdvertisement(parts: { from: string; to: string; prefix: string; length: number }): string {
  const lifetimes = [0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10];
  const information = [3, 4, parts.length, 0xc0, ...lifetimes, 0, 0, 0, 0, ...bytesOf(parts.prefix)];
  const message = Uint8Array.of(134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, ...information);
  return packet({ ...parts, protocol: ICMPV6, hopLimit: 255 }, message, 2);
}

function packet(
  { from, to, protocol, hopLimit }: { from: string; to: string; protocol: number; hopLimit: number },
  contents: Uint8Array,
  checksumAt: number,
): string {
  const addresses = [...bytesOf(from), ...bytesOf(to)];
  const pseudoHeader = [...addresses, 0, 0, 0, contents.length, 0, 0, 0, protocol];
  new DataView(contents.buffer).setUint16(checksumAt, naiveChecksum(Uint8Array.of(...pseudoHeader, ...contents)));
  return Buffer.from([0x60, 0, 0, 0, 0, contents.length, protocol, hopLimit, ...addresses, ...contents]).toString(
    'hex',
  );
}

function bytesOf(address: string): Uint8Array {
  return parseAddress(address)?.bytes as Uint8Array;
}
