/** A thread of measures/udp.ts: sends numbered datagrams at a given pace, and tells how many there were. */
import { parentPort, workerData } from 'node:worker_threads';
import { endpointOf, parseAddress, type IpAddress } from '../src/inet/index.ts';
import { inNamespace, NativeBuffer, openUdpSocket, SocketAddress } from '../src/linux/index.ts';
import type { SenderRun, Sent } from './udp-run.ts';

/** Between two bursts, in milliseconds: as even as a sleeping thread can be. */
const TURN = 0.25;
/** A thread that was late catches up with no more than this: longer bursts would measure the length of queues. */
const LONGEST_BURST = 128;

const { namespace, address, port, bytes, packetsPerSecond, seconds } = workerData as SenderRun;
const socket = inNamespace(namespace, () => openUdpSocket(4, 0));
const to = new SocketAddress();
to.fromEndpoint(endpointOf(parseAddress(address) as IpAddress, port));
const datagram = new NativeBuffer(bytes);
const alarm = new Int32Array(new SharedArrayBuffer(4));

const startedAt = performance.now();
let sent = 0;
/** What will not be caught up with. */
let given = 0;
let elapsed = 0;
while (elapsed < seconds * 1000) {
  elapsed = performance.now() - startedAt;
  const due = Math.floor((elapsed / 1000) * packetsPerSecond) - given;
  if (due - sent > LONGEST_BURST) given += due - sent - LONGEST_BURST;
  for (let left = Math.min(due - sent, LONGEST_BURST); left > 0; left--) {
    datagram.view.setUint32(0, sent, true);
    if (socket.send(datagram, 0, bytes, bytes, to) === 0) sent++;
  }
  Atomics.wait(alarm, 0, 0, TURN);
}
socket.close();
parentPort!.postMessage({ packets: sent, seconds: elapsed / 1000 } satisfies Sent);
