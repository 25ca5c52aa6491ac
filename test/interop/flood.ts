/**
 * A flood of forged handshake initiations, as a program: `node flood.js TARGET PORT PUBLIC-KEY RATE SECONDS SOURCES`.
 * The mac1 of each is valid, since the target's public key is no secret; the rest is random. They leave in trains, from
 * addresses of 198.18.0.0/15 (RFC 2544, for benchmarks) that a route makes this host's own. Prints how many it sent.
 */
import { randomBytes } from 'node:crypto';
import { chooseAead } from '../../src/crypto/aead.ts';
import { nodePrimitives } from '../../src/crypto/node.ts';
import { addressFromBytes, endpointOf, parseAddress, type IpAddress } from '../../src/inet/index.ts';
import { NativeBuffer, openUdpSocket, SocketAddress } from '../../src/linux/index.ts';

/** The initiation's layout (whitepaper §5.4.2), and the label of mac1's key (§5.4.4). */
const INITIATION = { mac1: 116, mac2: 132, end: 148 } as const;
const LABEL_MAC1 = 'mac1----';
/** Datagrams of one train: they come from one source, as the kernel cuts them. */
const TRAIN = 16;
const TURN_MS = 5;

const [target, port, publicKey, rate, seconds, sources] = process.argv.slice(2);
const { hash, mac } = nodePrimitives(chooseAead().aead);
const mac1Key = hash(new TextEncoder().encode(LABEL_MAC1), Buffer.from(publicKey, 'base64'));

const trains = new NativeBuffer(64 * TRAIN * INITIATION.end);
for (let at = 0; at < trains.bytes.length; at += INITIATION.end) {
  trains.bytes.set(randomBytes(INITIATION.mac1), at);
  trains.bytes.set([1, 0, 0, 0], at);
  trains.bytes.set(mac(mac1Key, trains.bytes.subarray(at, at + INITIATION.mac1)), at + INITIATION.mac1);
}

const destinations = Array.from({ length: Number(sources) }, (_, i) => {
  const to = new SocketAddress();
  const local = addressFromBytes(Uint8Array.of(198, 18, i >> 8, i & 0xff));
  to.fromEndpoint({ ...endpointOf(parseAddress(target) as IpAddress, Number(port)), local });
  return to;
});

const socket = openUdpSocket(4, 0);
const start = performance.now();
const trainBytes = TRAIN * INITIATION.end;
let sent = 0;
let turn = 0;

function sendWhatIsDue(): void {
  const elapsed = performance.now() - start;
  const due = Math.min((elapsed / 1000) * Number(rate), Number(rate) * Number(seconds));
  while (sent < due) {
    const offset = (turn % 64) * trainBytes;
    socket.send(trains, offset, trainBytes, INITIATION.end, destinations[turn % destinations.length]);
    sent += TRAIN;
    turn++;
  }
  if (elapsed < Number(seconds) * 1000) setTimeout(sendWhatIsDue, TURN_MS);
  else process.stdout.write(`${Math.round(sent / (elapsed / 1000))}\n`);
}
sendWhatIsDue();
