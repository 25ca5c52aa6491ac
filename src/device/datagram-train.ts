import {
  EAGAIN,
  EMSGSIZE,
  MAX_SEGMENTS,
  MAX_TRAIN_BYTES,
  type NativeBuffer,
  type SocketAddress,
} from '../linux/index.ts';
import type { Endpoint } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { PacketLimits } from './packet-limits.ts';
import type { PathKeypair, PathPeer } from './path-device.ts';
import type { PathCounters } from './path-counters.ts';
import type { PeerAddresses } from './peer-addresses.ts';
import type { PeerReports } from './peer-reports.ts';
import type { DatagramSender } from './sockets.ts';

/** Room for the largest datagram, so that one can always be written before it is known whether it fits the train. */
export const TRAIN_CAPACITY = MAX_TRAIN_BYTES + 65_535 + 64;

/** The way to peers that the network does not lead to by itself. */
export interface Detour {
  /** Whether it is the way to this endpoint. */
  leadsTo(endpoint: Endpoint | undefined): boolean;
  sendTrain(bytes: Uint8Array, length: number, segmentSize: number, to: Endpoint, ecn: number, now: Millis): void;
}

export interface TrainParts {
  readonly sockets: DatagramSender;
  readonly addresses: PeerAddresses;
  readonly counters: PathCounters;
  /** Told when the network refuses what is sent to a peer. */
  readonly pathErrors: PeerReports;
  readonly limits: PacketLimits;
}

/**
 * Datagrams for one peer that lie one behind the other, to be sent with one `sendmsg` (`UDP_SEGMENT`): all of the
 * same size, only the last may be shorter.
 */
export class DatagramTrain {
  readonly #buffer: NativeBuffer;
  readonly #sockets: DatagramSender;
  readonly #addresses: PeerAddresses;
  readonly #counters: PathCounters;
  readonly #pathErrors: PeerReports;
  readonly #limits: PacketLimits;
  readonly #detour: Detour | undefined;
  #keypair: PathKeypair | undefined;
  #ecn = 0;
  #length = 0;
  #segments = 0;
  #segmentSize = 0;
  /** A datagram shorter than the others is in: nothing may follow it. */
  #isClosed = false;
  /** Whether what is in it must not wait behind packets of the hosts; to be changed while it is empty. */
  isControl = false;

  /** `buffer` has `TRAIN_CAPACITY` bytes. Without a detour all goes the direct way. */
  constructor(buffer: NativeBuffer, parts: TrainParts, detour?: Detour) {
    this.#buffer = buffer;
    this.#sockets = parts.sockets;
    this.#addresses = parts.addresses;
    this.#counters = parts.counters;
    this.#pathErrors = parts.pathErrors;
    this.#limits = parts.limits;
    this.#detour = detour;
  }

  get bytes(): Uint8Array {
    return this.#buffer.bytes;
  }

  /**
   * Makes the train one of `keypair`, its outer headers with the ECN bits of the packets inside (RFC 6040 §4.1).
   * @returns the offset at which the next datagram is to be written
   */
  begin(keypair: PathKeypair, ecn: number, now: Millis): number {
    if (this.#keypair !== keypair || this.#ecn !== ecn || this.#isClosed) {
      this.flush(now);
      this.#keypair = keypair;
      this.#ecn = ecn;
    }
    return this.#length;
  }

  /** Takes in the `length` bytes that were written at the offset that `begin` gave. */
  append(length: number, now: Millis): void {
    const fits =
      this.#segments === 0 ||
      (length <= this.#segmentSize && this.#segments < MAX_SEGMENTS && this.#length + length <= MAX_TRAIN_BYTES);
    if (!fits) this.#flushBefore(length, now);
    if (this.#segments === 0) this.#segmentSize = length;
    this.#isClosed = length < this.#segmentSize;
    this.#length += length;
    this.#segments++;
  }

  /** Sends what the train holds. */
  flush(now: Millis): void {
    const keypair = this.#keypair;
    if (keypair === undefined || this.#segments === 0) return;
    const { endpoint } = keypair.peer;
    if (endpoint !== undefined && this.#detour?.leadsTo(endpoint) === true) {
      this.#detour.sendTrain(this.#buffer.bytes, this.#length, this.#segmentSize, endpoint, this.#ecn, now);
    } else {
      this.#send(keypair.peer, now);
    }
    // The peer counts what was tried: a lost send must bring on a handshake just as a lost datagram does.
    keypair.peer.afterSending(keypair, this.#segments, this.#length, now);
    this.#reset();
  }

  /** An empty train's memory, for packets that are not to be sent now. */
  scratch(now: Millis): Uint8Array {
    this.flush(now);
    return this.#buffer.bytes;
  }

  #send(peer: PathPeer, now: Millis): void {
    const to = this.#addresses.of(peer);
    if (to === undefined) {
      this.#counters.sendErrors++;
      return;
    }
    const sockets = this.#sockets;
    sockets.trafficClass = this.#ecn;
    sockets.dontFragment = this.#limits.of(peer) !== undefined;
    let error = this.#sendTo(to);
    if (error !== 0 && error !== EAGAIN) this.#pathErrors.note(peer, now, error);
    // The interface has shrunk. Until the limit has followed, fragments are better than nothing.
    if (error === EMSGSIZE && sockets.dontFragment) {
      sockets.dontFragment = false;
      error = this.#sendTo(to);
    }
    if (error === EAGAIN) this.#counters.sendQueueFull++;
    else if (error !== 0) this.#counters.sendErrors++;
  }

  #sendTo(to: SocketAddress): number {
    if (this.isControl) return this.#sockets.sendControl(this.#buffer, this.#length, this.#segmentSize, to);
    return this.#sockets.send(this.#buffer, this.#length, this.#segmentSize, to);
  }

  /** Sends all but the datagram of `length` bytes that was just written behind the train, which starts the next one. */
  #flushBefore(length: number, now: Millis): void {
    const start = this.#length;
    const keypair = this.#keypair;
    this.flush(now);
    this.#buffer.bytes.copyWithin(0, start, start + length);
    this.#keypair = keypair;
  }

  #reset(): void {
    this.#keypair = undefined;
    this.#length = 0;
    this.#segments = 0;
    this.#segmentSize = 0;
    this.#isClosed = false;
  }
}
