/** A thread of measures/udp.ts: counts the datagrams that come in, each number once. */
import { parentPort, workerData } from 'node:worker_threads';
import { Epoll, inNamespace, NativeBuffer, openUdpSocket } from '../src/linux/index.ts';
import { SHARED, type UdpRun } from './udp-run.ts';

/** More than can be sent in one run. */
const HIGHEST_NUMBER = 1 << 26;
const LONGEST_WAIT = 20;

const { namespace, port, shared } = workerData as UdpRun;
const socket = inNamespace(namespace, () => openUdpSocket(4, port));
const epoll = new Epoll();
const buffer = new NativeBuffer(65_536);
const seen = new Uint8Array(HIGHEST_NUMBER >> 3);

epoll.add(socket.fd, 0);
parentPort!.postMessage('ready');
while (Atomics.load(shared, SHARED.mustStop) === 0) {
  epoll.wait(LONGEST_WAIT);
  for (let length = socket.receive(buffer); length > 0; length = socket.receive(buffer)) take(length);
}
socket.close();
epoll.close();

function take(length: number): void {
  let received = 0;
  for (let at = 0; at < length; at += socket.segmentSize) {
    const number = buffer.view.getUint32(at, true);
    const bit = 1 << (number & 7);
    if ((seen[number >> 3] & bit) === 0) received++;
    seen[number >> 3] |= bit;
  }
  Atomics.add(shared, SHARED.received, received);
}
