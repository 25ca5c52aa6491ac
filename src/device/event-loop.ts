import { Epoll, EventFd, SocketAddress, NativeBuffer, setRealTime, type Tun } from '../linux/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import type { Device, DeviceOutput } from '../wireguard/index.ts';
import type { ControlListener } from './control/index.ts';
import type { InboundPath } from './inbound-path.ts';
import type { OutboundPath } from './outbound-path.ts';
import type { PacketLimits } from './packet-limits.ts';
import { refusedDatagrams, type PathCounters } from './path-counters.ts';
import type { PeerReports } from './peer-reports.ts';
import type { Relay } from './relay.ts';
import type { Sockets } from './sockets.ts';
import type { TunLink, TunLinkChange } from './tun-link.ts';
import { Urgency } from './urgency.ts';
import type { Work } from './work.ts';

/** What each descriptor is known by in the epoll set. A socket's key is `SOCKET` plus its place in `Sockets.open`. */
const WAKE_UP = 0;
const TUN = 1;
const LINK = 2;
const LISTENER = 3;
const SOCKET = 4;

/** Never sleep longer than this: a clock that was set, or a machine that slept, is noticed at the next turn. */
const LONGEST_WAIT = 60_000;

/** Assured forwarding 41, as other implementations mark handshakes: without them no data flows. Data is not marked. */
const CONTROL_TRAFFIC_CLASS = 0x88;
/** The first byte of a message with packets of the hosts (whitepaper §5.4.6). */
const TRANSPORT_DATA = 4;
/** "Message too long", as the network itself would answer. */
const EMSGSIZE = 90;

export interface EventLoopParts {
  readonly tun: Tun;
  /** Or the transport team, which stands before it. */
  readonly device: Pick<Device, 'poll' | 'nextTimeout' | 'handleTimeout'>;
  readonly sockets: Sockets;
  readonly outbound: OutboundPath;
  readonly inbound: InboundPath;
  readonly relay: Relay;
  readonly counters: PathCounters;
  readonly work: Work;
  readonly pathErrors: PeerReports;
  readonly limits: PacketLimits;
  readonly wakeUp: EventFd;
  readonly link: TunLink;
  readonly clock: () => Millis;
  /** Another thread has left a command. */
  readonly onWakeUp: (now: Millis) => void;
  readonly onLinkChange: (change: TunLinkChange) => void;
  readonly onOutput: (output: Exclude<DeviceOutput, { kind: 'send' | 'deliver' }>) => void;
}

/** The loop of the device thread: wait, take in what is there, let due timers run, send what came of it. */
export class EventLoop {
  readonly #parts: EventLoopParts;
  readonly #epoll = new Epoll();
  readonly #datagram = new NativeBuffer(65_536);
  readonly #to = new SocketAddress();
  readonly #urgency: Urgency;
  #listener: ControlListener | undefined;
  #isStopped = false;

  constructor(parts: EventLoopParts) {
    this.#parts = parts;
    this.#urgency = new Urgency(setRealTime, parts.clock());
    this.#epoll.add(parts.wakeUp.fd, WAKE_UP);
    this.#epoll.add(parts.tun.fd, TUN);
    this.#epoll.add(parts.link.fd, LINK);
  }

  /** Whether the host lets this thread go before the applications; asked before `run`. */
  get mayBeUrgent(): boolean {
    return this.#urgency.isUrgent;
  }

  /** Call it after sockets were bound. Closed ones have left the epoll set by themselves. */
  watchSockets(): void {
    this.#parts.sockets.open.forEach((socket, place) => this.#epoll.add(socket.fd, SOCKET + place));
  }

  /** From now on, until the loop ends. */
  listen(listener: ControlListener): void {
    this.#listener = listener;
    this.#epoll.add(listener.socket.fd, LISTENER);
  }

  /** Returns when the loop was stopped. */
  run(): void {
    try {
      this.#runUntilStopped();
    } finally {
      this.#epoll.close();
    }
  }

  #runUntilStopped(): void {
    while (!this.#isStopped) {
      const from = this.#parts.clock();
      const ready = this.#epoll.wait(this.#untilTimeout(from));
      const now = this.#parts.clock();
      this.#urgency.handleWait(from, now, refusedDatagrams(this.#parts.counters), this.#parts.work);
      for (let i = 0; i < ready && !this.#isStopped; i++) {
        this.#dispatch(this.#epoll.key(i), now);
        this.drainOutput(now);
      }
      const due = this.#parts.device.nextTimeout();
      if (due !== undefined && due <= now) {
        this.#parts.device.handleTimeout(now);
        this.drainOutput(now);
      }
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Sends a datagram that did not come from the TUN device. What the network refuses is lost, as it may be.
   * @returns 0, or the number of the error
   */
  send(datagram: Uint8Array, to: SocketAddress, dontFragment = false): number {
    // What the path of packets would not have let pass, and would not fit.
    if (datagram.length > this.#datagram.bytes.length) return EMSGSIZE;
    this.#datagram.bytes.set(datagram);
    this.#parts.sockets.trafficClass = datagram[0] === TRANSPORT_DATA ? 0 : CONTROL_TRAFFIC_CLASS;
    this.#parts.sockets.dontFragment = dontFragment;
    return this.#parts.sockets.sendControl(this.#datagram, datagram.length, datagram.length, to);
  }

  /** Carries out what the machine asks for, and sends what waits for relays. */
  drainOutput(now: Millis): void {
    const { device, relay, onOutput } = this.#parts;
    for (let output = device.poll(); output !== undefined; output = device.poll()) {
      if (output.kind === 'send') {
        if (relay.leadsTo(output.to)) relay.send(output.datagram, output.to, now);
        else this.#sendOutput(output, now);
      } else if (output.kind !== 'deliver') {
        // `deliver` is of the machine's slow path, which this thread does not use.
        onOutput(output);
      }
    }
    relay.flush(now);
  }

  #sendOutput({ datagram, to, peer }: Extract<DeviceOutput, { kind: 'send' }>, now: Millis): void {
    const { limits, pathErrors } = this.#parts;
    this.#to.fromEndpoint(to);
    // Probes of the path's MTU are among them: that they are refused or lost is the answer.
    const isLimited = datagram[0] === TRANSPORT_DATA && peer !== undefined && limits.of(peer) !== undefined;
    const error = this.send(datagram, this.#to, isLimited);
    if (error !== 0 && peer !== undefined) pathErrors.note(peer, now, error);
  }

  #dispatch(key: number, now: Millis): void {
    const { tun, sockets, outbound, inbound, wakeUp, link } = this.#parts;
    switch (key) {
      case WAKE_UP:
        wakeUp.drain();
        this.#parts.onWakeUp(now);
        break;
      case TUN:
        if (tun.fd >= 0) outbound.drain(now);
        break;
      case LINK:
        if (link.read(this.#parts.onLinkChange)) this.#epoll.add(link.fd, LINK);
        break;
      case LISTENER:
        this.#listener?.drain();
        break;
      default: {
        const socket = sockets.open[key - SOCKET];
        if (socket !== undefined) inbound.drain(socket, now);
      }
    }
  }

  #untilTimeout(now: Millis): number {
    const due = this.#parts.device.nextTimeout();
    if (due === undefined) return LONGEST_WAIT;
    const wait = millis(Math.ceil(due - now));
    return Math.min(Math.max(0, wait), LONGEST_WAIT);
  }
}
