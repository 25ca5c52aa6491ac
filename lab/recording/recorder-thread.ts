/** The thread of `Recorder`: writes what it sees in many namespaces to one file. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { Epoll, EventFd, inNamespace, listLinks, NativeBuffer, PacketSocket } from '../../src/linux/index.ts';
import { writeFrame, writePlace, writeSection } from './pcapng.ts';

export interface RecorderPlan {
  readonly file: string;
  readonly nodes: readonly { readonly name: string; readonly namespacePath: string }[];
  /** An eventfd that is signalled when it is to stop. */
  readonly wakeFd: number;
}

export type RecorderAnswer =
  | { readonly kind: 'ready' }
  /** At the end: how many frames were not recorded, since more came than it could take. */
  | { readonly kind: 'stopped'; readonly lost: number }
  | { readonly kind: 'failed'; readonly message: string };

/** Headers, and enough behind them to tell packets apart. */
const SNAP_BYTES = 192;
const LONGEST_FRAME = 14 + 65_575;
/** Of each node: some thousand frames wait here while the machine is busy elsewhere. */
const RECEIVE_BUFFER_BYTES = 8 << 20;
const FRAMES_A_TURN = 256;
const WAKE_KEY = 0xffff_ffff;

/** One node's interfaces, those that come later too: daemons make theirs, and make them again. */
class Watch {
  readonly socket: PacketSocket;
  readonly #name: string;
  readonly #namespacePath: string;
  /** Numbers of places in the file by the indices of interfaces; `undefined` for what is not kept. */
  readonly #places = new Map<number, number | undefined>();

  constructor({ name, namespacePath }: RecorderPlan['nodes'][number]) {
    this.#name = name;
    this.#namespacePath = namespacePath;
    this.socket = inNamespace(namespacePath, () => new PacketSocket());
    this.socket.setReceiveBuffer(RECEIVE_BUFFER_BYTES);
    void this.socket.timestamp;
  }

  /** The blocks for what waits. `newPlace` numbers a place. */
  drain(buffer: NativeBuffer, newPlace: () => number): Buffer[] {
    const blocks: Buffer[] = [];
    for (let i = 0; i < FRAMES_A_TURN; i++) {
      const length = this.socket.read(buffer);
      if (length === 0) break;
      // Each frame is kept once, where it is sent.
      if (this.socket.packetType !== 'outgoing') continue;
      const at = this.socket.timestamp;
      const index = this.socket.interfaceIndex;
      if (!this.#places.has(index)) blocks.push(...this.#meet(index, newPlace));
      const place = this.#places.get(index);
      const bytes = buffer.bytes.subarray(0, Math.min(length, SNAP_BYTES));
      if (place !== undefined) blocks.push(writeFrame({ place, at, length, bytes }));
    }
    return blocks;
  }

  #meet(index: number, newPlace: () => number): Buffer[] {
    const link = inNamespace(this.#namespacePath, listLinks).find((candidate) => candidate.index === index);
    const place = link === undefined || link.isLoopback ? undefined : newPlace();
    this.#places.set(index, place);
    if (link === undefined || place === undefined) return [];
    const linkType = this.socket.hasEthernetHeader ? 'ethernet' : 'ip';
    return [writePlace({ node: this.#name, interface: link.name, linkType })];
  }
}

function record({ file, nodes, wakeFd }: RecorderPlan, port: MessagePort): void {
  const watches = nodes.map((node) => new Watch(node));
  const epoll = new Epoll();
  const wake = EventFd.of(wakeFd);
  const buffer = new NativeBuffer(LONGEST_FRAME);
  const descriptor = openSync(file, 'w', 0o600);
  let places = 0;
  writeSync(descriptor, writeSection());
  epoll.add(wakeFd, WAKE_KEY);
  for (const [i, { socket }] of watches.entries()) epoll.add(socket.fd, i);
  port.postMessage({ kind: 'ready' } satisfies RecorderAnswer);
  let stopping = false;
  // What was seen before the word to stop is still read.
  for (let ready = 0; !stopping || ready > 0;) {
    ready = epoll.wait(stopping ? 0 : -1);
    const keys = Array.from({ length: ready }, (_, i) => epoll.key(i));
    const blocks = keys.flatMap((key) => (key === WAKE_KEY ? [] : watches[key].drain(buffer, () => places++)));
    if (blocks.length > 0) writeSync(descriptor, Buffer.concat(blocks));
    if (keys.includes(WAKE_KEY)) {
      wake.drain();
      stopping = receiveMessageOnPort(port) !== undefined;
    }
  }
  const lost = watches.reduce((sum, { socket }) => sum + socket.takeLost(), 0);
  port.postMessage({ kind: 'stopped', lost } satisfies RecorderAnswer);
  for (const { socket } of watches) socket.close();
  epoll.close();
  closeSync(descriptor);
}

if (parentPort !== null) {
  try {
    record(workerData as RecorderPlan, parentPort);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parentPort.postMessage({ kind: 'failed', message } satisfies RecorderAnswer);
  }
}
