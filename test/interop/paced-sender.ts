/**
 * Sends UDP datagrams at a steady pace, as a program: `node paced-sender.js ADDRESS PORT BYTES PER-SECOND SECONDS`.
 * Prints how many the kernel took.
 */
import { endpointOf, parseAddress, type IpAddress } from '../../src/inet/index.ts';
import { NativeBuffer, openUdpSocket, SocketAddress } from '../../src/linux/index.ts';

const TURN_MS = 2;
/** Who was late catches up with no more than this: a longer burst would overflow any queue. */
const LONGEST_BURST = 100;

const [address, port, bytes, perSecond, seconds] = process.argv.slice(2);
const to = new SocketAddress();
to.fromEndpoint(endpointOf(parseAddress(address) as IpAddress, Number(port)));
const socket = openUdpSocket(to.family, 0);
const datagram = new NativeBuffer(Number(bytes));
const start = performance.now();
let tried = 0;
let sent = 0;

function sendWhatIsDue(): void {
  const elapsed = Math.min((performance.now() - start) / 1000, Number(seconds));
  const due = Math.floor(elapsed * Number(perSecond));
  for (tried = Math.max(tried, due - LONGEST_BURST); tried < due; tried++) {
    if (socket.send(datagram, 0, datagram.bytes.length, datagram.bytes.length, to) === 0) sent++;
  }
  if (elapsed < Number(seconds)) setTimeout(sendWhatIsDue, TURN_MS);
  else process.stdout.write(`${sent}\n`);
}
sendWhatIsDue();
