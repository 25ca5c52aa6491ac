/**
 * Floods a UDP port: `node junk-sender.js ADDRESS PORT RATE KIND`, until it is ended. KIND `noise` is nobody's message,
 * `hello` a Hello of the mesh in the name of nobody known. An address of a link has its zone as a number. Prints `flooding`.
 */
import { randomBytes } from 'node:crypto';
import { endpointOf, parseAddress, type IpAddress } from '../../src/inet/index.ts';
import { NativeBuffer, openUdpSocket, SocketAddress } from '../../src/linux/index.ts';
import { forgedHello } from './forged-packets.ts';

const TURN_MS = 1;
const VARIANTS = 256;

const [target, port, rate, kind] = process.argv.slice(2);
const [address, zone] = target.split('%');
const to = new SocketAddress();
to.fromEndpoint(endpointOf(parseAddress(address) as IpAddress, Number(port), Number(zone ?? 0)));

const messages = Array.from({ length: VARIANTS }, () => {
  if (kind === 'noise') return Buffer.concat([Buffer.of(0x80), randomBytes(99)]);
  return Buffer.from(forgedHello({ nodeId: randomBytes(28).toString('hex'), sequence: 1 }, { challenge: 1n }));
});
const length = messages[0].length;
const buffer = new NativeBuffer(VARIANTS * length);
messages.forEach((message, i) => buffer.bytes.set(message, i * length));

const socket = openUdpSocket(6, 0);
const start = performance.now();
let sent = 0;

function sendWhatIsDue(): void {
  const due = ((performance.now() - start) / 1000) * Number(rate);
  while (sent < due) socket.send(buffer, (sent++ % VARIANTS) * length, length, length, to);
  setTimeout(sendWhatIsDue, TURN_MS);
}
sendWhatIsDue();
process.stdout.write('flooding\n');
