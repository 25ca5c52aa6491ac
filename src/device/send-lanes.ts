/**
 * The sockets that one thread sends by, over one family, when the kernel keeps more of what was sent than it likes: a
 * link takes less than is sent there (docs/decisions/0040-a-lane-for-each-peer-in-trouble.md). The kernel counts what
 * waits in the queue of a link against the socket, whoever it is for; so with one socket for all, one such link stops
 * the way to everybody.
 */
import {
  EAGAIN,
  openSendOnly,
  SystemCallError,
  type NativeBuffer,
  type SocketAddress,
  type UdpSocket,
} from '../linux/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';

/** More links that are all stuck at once are hardly one host's, and each lane is a descriptor and kernel memory. */
export const MOST_LANES = 64;
/** A destination whose lane was not full for as long may have to give it up to another. */
const LANE_IDLE = millis(1000);

/** A lane holds what its link takes in a tenth of a second: TCP needs about that, and who waits behind bears it. */
const LANE_SECONDS = 0.1;
const SMALLEST_LANE = 64 << 10;
const FIRST_LANE = 256 << 10;
const LARGEST_LANE = 4 << 20;
/** Over less than `SHORTEST` a rate says little; over more than `LONGEST` the lane was not full all the time. */
const SHORTEST_MEASURE = 50;
const LONGEST_MEASURE = 1000;

/** What the headers of datagrams are to say. */
export interface OuterHeader {
  readonly trafficClass: number;
  readonly dontFragment: boolean;
}

/** One destination's own way out. */
class Lane {
  readonly socket: UdpSocket;
  lastFullAt: Millis;
  /** Bytes that the kernel took since it refused some, at `fullAt`. */
  #taken = 0;
  #fullAt: Millis;

  constructor(socket: UdpSocket, now: Millis) {
    this.socket = socket;
    this.lastFullAt = now;
    this.#fullAt = now;
    socket.setSendBuffer(FIRST_LANE);
  }

  handleTaken(bytes: number): void {
    this.#taken += bytes;
  }

  /** What was taken between two refusals is what the link carried, and the measure of how much may wait for it. */
  handleFull(now: Millis): void {
    this.lastFullAt = now;
    const elapsed = now - this.#fullAt;
    if (elapsed < SHORTEST_MEASURE) return;
    const bytesPerSecond = (this.#taken * 1000) / elapsed;
    this.#taken = 0;
    this.#fullAt = now;
    if (elapsed > LONGEST_MEASURE) return;
    this.socket.setSendBuffer(Math.min(Math.max(SMALLEST_LANE, bytesPerSecond * LANE_SECONDS), LARGEST_LANE));
  }
}

/** See above. In the usual case all goes out by the socket that receives, and nothing of this exists. */
export class SendLanes {
  readonly #receiving: UdpSocket;
  readonly #clock: () => Millis;
  /** What everybody sends by who has no lane. */
  #common: UdpSocket;
  #control: UdpSocket | undefined;
  readonly #lanes = new Map<SocketAddress, Lane>();

  constructor(receiving: UdpSocket, clock: () => Millis) {
    this.#receiving = receiving;
    this.#common = receiving;
    this.#clock = clock;
  }

  /**
   * Sends packets of the hosts. The object `to` stands for the destination, whatever it holds.
   * @returns 0, or the number of the error: EAGAIN where more waits for the destination than is good
   */
  // The hot path: an object for the parameters would be an allocation a train.
  // eslint-disable-next-line max-params
  send(buffer: NativeBuffer, length: number, segmentSize: number, to: SocketAddress, outer: OuterHeader): number {
    let lane = this.#lanes.size === 0 ? undefined : this.#lanes.get(to);
    if (lane === undefined) {
      const error = sendBy(this.#common, buffer, length, segmentSize, to, outer);
      if (error !== EAGAIN) return error;
      lane = this.#openLane(to);
      if (lane === undefined) return EAGAIN;
    }
    const error = sendBy(lane.socket, buffer, length, segmentSize, to, outer);
    if (error === 0) lane.handleTaken(length);
    else if (error === EAGAIN) lane.handleFull(this.#clock());
    return error;
  }

  /** Sends messages that must not wait behind packets of the hosts, and of which there are few. */
  // eslint-disable-next-line max-params -- as `send`
  sendControl(
    buffer: NativeBuffer,
    length: number,
    segmentSize: number,
    to: SocketAddress,
    outer: OuterHeader,
  ): number {
    const error = sendBy(this.#receiving, buffer, length, segmentSize, to, outer);
    if (error !== EAGAIN) return error;
    this.#control ??= this.#open();
    if (this.#control === undefined) return EAGAIN;
    return sendBy(this.#control, buffer, length, segmentSize, to, outer);
  }

  /** Closes all but the socket that receives. */
  close(): void {
    for (const { socket } of this.#lanes.values()) socket.close();
    this.#lanes.clear();
    this.#control?.close();
    this.#control = undefined;
    if (this.#common !== this.#receiving) this.#common.close();
    this.#common = this.#receiving;
  }

  /**
   * Gives `to`, for which there was no more room, a lane; and all others a new socket, since what is on its way by the
   * old one may be for a link that takes minutes to carry it. Whose it is nobody knows: who sends most finds out first.
   */
  #openLane(to: SocketAddress): Lane | undefined {
    const now = this.#clock();
    if (this.#lanes.size >= MOST_LANES) this.#closeIdleLane(now);
    if (this.#lanes.size >= MOST_LANES) return undefined;
    const common = this.#open();
    const socket = common === undefined ? undefined : this.#open();
    if (common === undefined || socket === undefined) {
      common?.close();
      return undefined;
    }
    // What the kernel has taken of it leaves all the same.
    if (this.#common !== this.#receiving) this.#common.close();
    this.#common = common;
    const lane = new Lane(socket, now);
    this.#lanes.set(to, lane);
    return lane;
  }

  #closeIdleLane(now: Millis): void {
    for (const [to, { socket, lastFullAt }] of this.#lanes) {
      if (now < after(lastFullAt, LANE_IDLE)) continue;
      socket.close();
      this.#lanes.delete(to);
      return;
    }
  }

  /** `undefined` where the host lets us have no more: then there is one queue for all, as there was. */
  #open(): UdpSocket | undefined {
    try {
      return openSendOnly(this.#receiving);
    } catch (error) {
      if (error instanceof SystemCallError) return undefined;
      throw error;
    }
  }
}

// eslint-disable-next-line max-params -- as `SendLanes.send`
function sendBy(
  socket: UdpSocket,
  buffer: NativeBuffer,
  length: number,
  segmentSize: number,
  to: SocketAddress,
  outer: OuterHeader,
): number {
  socket.sendTrafficClass = outer.trafficClass;
  socket.dontFragment = outer.dontFragment;
  return socket.send(buffer, 0, length, segmentSize, to);
}
