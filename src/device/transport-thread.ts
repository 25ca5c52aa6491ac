/**
 * A transport thread: seals and opens for a device beside the device thread, with a queue of the TUN device and sockets
 * of its own (docs/decisions/0012-several-threads.md). It knows of keypairs and allowed IPs what the device thread tells
 * it, and leaves handshakes, timers and everything else to that.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import {
  bootTime,
  Epoll,
  EventFd,
  setRealTime,
  SystemCallError,
  tunOf,
  udpSocketOf,
  type Tun,
} from '../linux/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { Attention } from './attention.ts';
import { clonedError } from './cloned-error.ts';
import { DATA_PATH_BYTES, DataPath } from './data-path.ts';
import { DeviceReplica } from './device-replica.ts';
import { PacketMemory } from './packet-memory.ts';
import { pathCounters, refusedDatagrams } from './path-counters.ts';
import { PeerReports } from './peer-reports.ts';
import { SocketSet } from './sockets.ts';
import { TEAM_LANES, type TeamOrder, type TeamReport, type TransportThreadData } from './team-messages.ts';
import { TunWriter } from './tun-writer.ts';
import { Urgency } from './urgency.ts';
import { noWork } from './work.ts';

/** What each descriptor is known by in the epoll set. A socket's key is `SOCKET` plus its place. */
const WAKE_UP = 0;
const TUN = 1;
const SOCKET = 2;

const clock = (): Millis => millis(bootTime());

type DescriptorOrder = Extract<TeamOrder, { kind: 'start' | 'sockets' | 'end' }>;

class TransportThread {
  readonly #data: TransportThreadData;
  readonly #lanes: Int32Array;
  readonly #wakeUp: EventFd;
  readonly #deviceWakeUp: EventFd;
  readonly #device: DeviceReplica;
  readonly #sockets = new SocketSet(clock);
  readonly #epoll = new Epoll();
  readonly #urgency = new Urgency(setRealTime, clock());
  readonly #counters = pathCounters();
  readonly #work = noWork();
  #path: DataPath | undefined;
  /** Orders about descriptors that came while those were in use. */
  readonly #deferred: DescriptorOrder[] = [];
  #isEnding = false;

  constructor(data: TransportThreadData) {
    this.#data = data;
    this.#lanes = new Int32Array(data.lanes);
    this.#wakeUp = EventFd.of(data.wakeUpFd);
    this.#deviceWakeUp = EventFd.of(data.deviceWakeUpFd);
    this.#device = new DeviceReplica(nodePrimitives(chooseAead().aead), {
      attention: new Attention(new Uint32Array(data.lanes, 4 * TEAM_LANES.attention, 1)),
      report: (report) => this.#report(report),
      wake: () => this.#deviceWakeUp.signal(),
      catchUp: () => this.#takeOrders((order) => this.#deferred.push(order)),
    });
    this.#epoll.add(this.#wakeUp.fd, WAKE_UP);
  }

  run(): void {
    try {
      while (!this.#isEnding) this.#turn();
    } catch (error) {
      // The device thread hears of a device that is gone by its own queue.
      if (!(error instanceof SystemCallError && error.errno === 'EBADFD')) {
        this.#report({ kind: 'failed', error: clonedError(error) });
      }
      this.#awaitEnd();
    } finally {
      this.#device.destroy();
      this.#epoll.close();
    }
  }

  #turn(): void {
    const from = clock();
    const ready = this.#epoll.wait(-1);
    const now = clock();
    this.#urgency.handleWait(from, now, refusedDatagrams(this.#counters), this.#work);
    for (let i = 0; i < ready && !this.#isEnding; i++) this.#dispatch(this.#epoll.key(i), now);
  }

  /** Obeys what must be obeyed, so that the device thread does not wait in vain, and forwards nothing. */
  #awaitEnd(): void {
    const epoll = new Epoll();
    epoll.add(this.#wakeUp.fd, WAKE_UP);
    this.#path = undefined;
    while (!this.#isEnding) {
      epoll.wait(-1);
      this.#takeAllOrders();
    }
    epoll.close();
  }

  #dispatch(key: number, now: Millis): void {
    if (key === WAKE_UP) return this.#takeAllOrders();
    const socket = this.#sockets.open[key - SOCKET];
    if (key === TUN) this.#path?.outbound.drain(now);
    else if (socket !== undefined) this.#path?.inbound.drain(socket, now);
  }

  #takeOrders(about: (order: DescriptorOrder) => void): void {
    const { port } = this.#data;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      const order = next.message as TeamOrder;
      if (order.kind === 'start' || order.kind === 'sockets' || order.kind === 'end') about(order);
      else this.#device.obey(order);
    }
  }

  #takeAllOrders(): void {
    this.#wakeUp.drain();
    for (const order of this.#deferred.splice(0)) this.#obey(order);
    this.#takeOrders((order) => this.#obey(order));
  }

  #obey(order: DescriptorOrder): void {
    switch (order.kind) {
      case 'start':
        this.#device.mtu = order.mtu;
        return this.#start(tunOf(order.queue));
      case 'sockets':
        for (const { fd } of this.#sockets.open) this.#epoll.remove(fd);
        this.#sockets.open = order.sockets.map(udpSocketOf);
        this.#sockets.open.forEach(({ fd }, place) => this.#epoll.add(fd, SOCKET + place));
        return this.#confirm(order.order);
      case 'end':
        this.#isEnding = true;
        return this.#confirm(order.order);
    }
  }

  #start(tun: Tun): void {
    const memory = new PacketMemory(DATA_PATH_BYTES);
    const counters = this.#counters;
    // A mesh wants to know of these; its device has one thread.
    const ignored = new PeerReports(() => {});
    this.#path = new DataPath({
      tun,
      device: this.#device,
      sockets: this.#sockets,
      writer: new TunWriter(tun, counters, memory.checksums),
      memory,
      counters,
      work: this.#work,
      toControl: (datagram, from) => this.#device.handleDatagram(datagram.slice(), from, clock()),
      onTunnelMessage: () => {},
      activity: ignored,
      pathErrors: ignored,
    });
    this.#epoll.add(tun.fd, TUN);
  }

  #confirm(order: number): void {
    const lane = TEAM_LANES.obeyed + this.#data.place;
    Atomics.store(this.#lanes, lane, order);
    Atomics.notify(this.#lanes, lane);
  }

  #report(report: TeamReport): void {
    this.#data.port.postMessage(report);
    this.#deviceWakeUp.signal();
  }
}

new TransportThread(workerData as TransportThreadData).run();
