import { addressesEqual, type IpAddress } from '../inet/index.ts';
import {
  openUdpGroup,
  openUdpPair,
  type DatagramFilter,
  type NativeBuffer,
  type SocketAddress,
  type UdpSocket,
} from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import { SendLanes } from './send-lanes.ts';

/** Takes trains for the network. */
export type DatagramSender = Pick<SocketSet, 'send' | 'sendControl' | 'trafficClass' | 'dontFragment'>;

/** What one thread sends by and receives from: a socket for each family, on the same port. */
export class SocketSet {
  /** The TOS or traffic class of what is sent next: DSCP and ECN. */
  trafficClass = 0;
  /** Whether what is sent next may not be fragmented. */
  dontFragment = false;
  readonly #clock: () => Millis;
  #open: readonly UdpSocket[] = [];
  #lanes: readonly SendLanes[] = [];

  constructor(clock: () => Millis) {
    this.#clock = clock;
  }

  /** Those that receive. */
  get open(): readonly UdpSocket[] {
    return this.#open;
  }

  set open(sockets: readonly UdpSocket[]) {
    this.closeLanes();
    this.#open = sockets;
    this.#lanes = sockets.map((socket) => new SendLanes(socket, this.#clock));
  }

  /** Closes what only sends: it is opened again, with the mark that is set then, when it is needed. */
  closeLanes(): void {
    for (const lanes of this.#lanes) lanes.close();
  }

  /** @returns 0, or the number of the error; where there is no socket of the family, the one for "no such network" */
  send(buffer: NativeBuffer, length: number, segmentSize: number, to: SocketAddress): number {
    const lanes = this.#lanesOf(to.family);
    return lanes === undefined ? ENETUNREACH : lanes.send(buffer, length, segmentSize, to, this);
  }

  /** The same for messages that must not wait behind packets of the hosts. */
  sendControl(buffer: NativeBuffer, length: number, segmentSize: number, to: SocketAddress): number {
    const lanes = this.#lanesOf(to.family);
    return lanes === undefined ? ENETUNREACH : lanes.sendControl(buffer, length, segmentSize, to, this);
  }

  #lanesOf(family: 4 | 6): SendLanes | undefined {
    for (let place = 0; place < this.#open.length; place++) {
      if (this.#open[place].family === family) return this.#lanes[place];
    }
    return undefined;
  }
}

/** The transport threads, as far as sockets are concerned. */
export interface SocketBorrowers {
  readonly count: number;
  /** Gives each thread its sockets, in place of those that it has. Returns once none uses any other. */
  lend(sockets: readonly (readonly UdpSocket[])[]): void;
}

/** The first byte of a message with packets of the hosts (whitepaper §5.4.6). */
const TRANSPORT_DATA = 4;

/** The UDP sockets of one interface: those of the device thread, and those that it opens for others. */
export class Sockets extends SocketSet {
  readonly #borrowers: SocketBorrowers | undefined;
  #lent: readonly (readonly UdpSocket[])[] = [];
  #filter: DatagramFilter | undefined;
  #port = 0;
  #fwmark = 0;
  readonly #groups: { group: IpAddress; interfaceIndex: number }[] = [];

  constructor(clock: () => Millis, borrowers?: SocketBorrowers) {
    super(clock);
    this.#borrowers = borrowers;
  }

  /** The port that is bound, or the one asked for while none is. */
  get port(): number {
    return this.#port;
  }

  get fwmark(): number {
    return this.#fwmark;
  }

  /** Datagrams that these sockets have dropped in the kernel. */
  get dropped(): number {
    return [this.open, ...this.#lent].flat().reduce((sum, socket) => sum + socket.dropped, 0);
  }

  /** What passes the filter is all that is received from now on. */
  set filter(filter: DatagramFilter) {
    for (const socket of [this.open, ...this.#lent].flat()) filter.attach(socket);
    this.#filter?.close();
    this.#filter = filter;
  }

  /**
   * Binds `port` (0: a free one) and gives up the port held before. Where that fails, the sockets held before stay.
   * @returns whether the sockets are new ones
   * @throws PortInUseError, SystemCallError
   */
  bind(port: number): boolean {
    if (port !== 0 && port === this.#port && this.open.length > 0) return false;
    const [sockets, ...lent] = this.#open(port);
    try {
      for (const socket of [sockets, ...lent].flat()) {
        this.#filter?.attach(socket);
        if (this.#fwmark !== 0) socket.setMark(this.#fwmark);
      }
      for (const { group, interfaceIndex } of this.#groups) joinOn(sockets, group, interfaceIndex);
    } catch (error) {
      for (const socket of [sockets, ...lent].flat()) socket.close();
      throw error;
    }
    this.#replace(sockets, lent);
    this.#port = sockets[0].port;
    return true;
  }

  setFwmark(mark: number): void {
    for (const socket of [this.open, ...this.#lent].flat()) socket.setMark(mark);
    this.#fwmark = mark;
    this.closeLanes();
    // A thread that is given its sockets anew gives up what it has opened beside them.
    if (this.#lent.length > 0) this.#borrowers?.lend(this.#lent);
  }

  joinGroup(group: IpAddress, interfaceIndex: number): void {
    joinOn(this.open, group, interfaceIndex);
    const isKnown = this.#groups.some(
      (one) => one.interfaceIndex === interfaceIndex && addressesEqual(one.group, group),
    );
    if (!isKnown) this.#groups.push({ group, interfaceIndex });
  }

  /** Closes the sockets; the port is remembered. */
  close(): void {
    this.#replace([], []);
  }

  #open(port: number): readonly (readonly UdpSocket[])[] {
    if (this.#borrowers === undefined) return [openUdpPair(port)];
    return openUdpGroup(port, 1 + this.#borrowers.count, TRANSPORT_DATA);
  }

  /** A descriptor is closed when nobody can use its number any more: it may be another file's at once. */
  #replace(sockets: readonly UdpSocket[], lent: readonly (readonly UdpSocket[])[]): void {
    const old = [this.open, ...this.#lent].flat();
    if (this.#lent.length > 0 || lent.length > 0) this.#borrowers?.lend(lent);
    for (const socket of old) socket.close();
    this.open = sockets;
    this.#lent = lent;
  }
}

const ENETUNREACH = 101;

function joinOn(sockets: readonly UdpSocket[], group: IpAddress, interfaceIndex: number): void {
  for (const socket of sockets) if (socket.family === group.family) socket.joinGroup(group.bytes, interfaceIndex);
}
