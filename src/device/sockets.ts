import type { IpAddress } from '../inet/index.ts';
import { Epoll, EPOLLOUT, openUdpPair, type NativeBuffer, type SocketAddress, type UdpSocket } from '../linux/index.ts';

/** Takes trains for the network. */
export type DatagramSender = Pick<Sockets, 'send' | 'trafficClass'>;

/** The UDP sockets of one interface: one for each family, on the same port. */
export class Sockets {
  /** The TOS or traffic class of what is sent next: DSCP and ECN. */
  trafficClass = 0;
  #sockets: readonly UdpSocket[] = [];
  #port = 0;
  #fwmark = 0;
  readonly #groups: { group: IpAddress; interfaceIndex: number }[] = [];

  get open(): readonly UdpSocket[] {
    return this.#sockets;
  }

  /** The port that is bound, or the one asked for while none is. */
  get port(): number {
    return this.#port;
  }

  get fwmark(): number {
    return this.#fwmark;
  }

  /**
   * Binds `port` (0: a free one) and gives up the port held before. Where that fails, the sockets held before stay.
   * @returns whether the sockets are new ones
   * @throws PortInUseError, SystemCallError
   */
  bind(port: number): boolean {
    if (port !== 0 && port === this.#port && this.#sockets.length > 0) return false;
    const sockets = openUdpPair(port);
    try {
      for (const socket of sockets) if (this.#fwmark !== 0) socket.setMark(this.#fwmark);
      for (const { group, interfaceIndex } of this.#groups) joinOn(sockets, group, interfaceIndex);
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    this.close();
    this.#sockets = sockets;
    this.#port = sockets[0].port;
    return true;
  }

  setFwmark(mark: number): void {
    for (const socket of this.#sockets) socket.setMark(mark);
    this.#fwmark = mark;
  }

  joinGroup(group: IpAddress, interfaceIndex: number): void {
    joinOn(this.#sockets, group, interfaceIndex);
    this.#groups.push({ group, interfaceIndex });
  }

  /** @returns 0, or the number of the error; where there is no socket of the family, the one for "no such network" */
  send(buffer: NativeBuffer, length: number, segmentSize: number, to: SocketAddress): number {
    for (const socket of this.#sockets) {
      if (socket.family !== to.family) continue;
      socket.sendTrafficClass = this.trafficClass;
      const error = socket.send(buffer, 0, length, segmentSize, to);
      if (error !== EAGAIN) return error;
      waitUntilWritable(socket);
      return socket.send(buffer, 0, length, segmentSize, to);
    }
    return ENETUNREACH;
  }

  /** Closes the sockets; the port is remembered. */
  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets = [];
  }
}

const EAGAIN = 11;
const ENETUNREACH = 101;

/** Longer than any queue of a network card takes to drain; a link that is stuck must not stop the other peers for ever. */
const LONGEST_STALL = 20;

/**
 * Waits until the kernel's send buffer has room. To wait is to slow the applications down, as a wire does; to drop a
 * train of 64 KiB would cost TCP far more.
 */
function waitUntilWritable(socket: UdpSocket): void {
  const epoll = new Epoll();
  try {
    epoll.add(socket.fd, 0, EPOLLOUT);
    epoll.wait(LONGEST_STALL);
  } finally {
    epoll.close();
  }
}

function joinOn(sockets: readonly UdpSocket[], group: IpAddress, interfaceIndex: number): void {
  for (const socket of sockets) if (socket.family === group.family) socket.joinGroup(group.bytes, interfaceIndex);
}
