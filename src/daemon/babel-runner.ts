/**
 * Gives a Babel speaker what it lacks: a UDP socket on port 6696, the group ff02::1:6 on its links, the time, and the
 * kernel's routes. The ids of its interfaces are names of links.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { BABEL_GROUP, BABEL_PORT, type InterfaceOptions, type Speaker, type SpeakerOutput } from '../babel/index.ts';
import { formatAddress, parseAddress } from '../inet/index.ts';
import { bootTime } from '../linux/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import type { KernelRoutes, RouteOutput } from './kernel-routes.ts';

/** For goodbyes to be acknowledged. */
const FAREWELL_TIMEOUT = 3000;
/** `setTimeout` takes no more than 2^31 - 1 ms. */
const LONGEST_SLEEP = 2 ** 30;

export class BabelRunner {
  readonly #speaker: Speaker;
  readonly #socket: Socket;
  readonly #routes: Pick<KernelRoutes, 'apply' | 'close'>;
  readonly #onRoute: (output: RouteOutput) => void;
  #timer: NodeJS.Timeout | undefined;
  #onLeft: (() => void) | undefined;

  static async open(
    speaker: Speaker,
    routes: Pick<KernelRoutes, 'apply' | 'close'>,
    onRoute: (output: RouteOutput) => void,
  ): Promise<BabelRunner> {
    const socket = createSocket({ type: 'udp6', ipv6Only: true });
    try {
      socket.bind(BABEL_PORT);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    // Hop count 1 (RFC 8966 §4).
    socket.setMulticastTTL(1);
    socket.setTTL(1);
    socket.setMulticastLoopback(false);
    return new BabelRunner(speaker, socket, routes, onRoute);
  }

  private constructor(
    speaker: Speaker,
    socket: Socket,
    routes: Pick<KernelRoutes, 'apply' | 'close'>,
    onRoute: (output: RouteOutput) => void,
  ) {
    this.#speaker = speaker;
    this.#socket = socket;
    this.#routes = routes;
    this.#onRoute = onRoute;
    socket.on('message', (datagram, from) => this.#receive(datagram, from));
    // What the network reports, Hellos that do not come will tell too.
    socket.on('error', () => undefined);
  }

  addInterface(options: InterfaceOptions): void {
    if (options.discovery === 'multicast') {
      try {
        this.#socket.addMembership(formatAddress(BABEL_GROUP), `::%${options.id}`);
      } catch (error) {
        // A link that was here before has kept its membership.
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      }
    }
    this.act((speaker, now) => speaker.addInterface(options, now));
  }

  /** Does something to the speaker, and what the speaker wants done then. */
  act(action: (speaker: Speaker, now: Millis) => void): void {
    action(this.#speaker, millis(bootTime()));
    for (let output = this.#speaker.poll(); output !== undefined; output = this.#speaker.poll()) this.#carryOut(output);
    if (this.#speaker.hasLeft) this.#onLeft?.();
    this.#sleep();
  }

  /** Says goodbye to the neighbours, and removes the routes. */
  async close(): Promise<void> {
    const left = new Promise<void>((resolve) => (this.#onLeft = resolve));
    const deadline = setTimeout(() => this.#onLeft?.(), FAREWELL_TIMEOUT);
    this.act((speaker, now) => speaker.stop(now));
    await left;
    clearTimeout(deadline);
    clearTimeout(this.#timer);
    // What was sent last has to leave first: a closed socket sends nothing.
    await new Promise((resolve) => this.#socket.close(() => resolve(undefined)));
    await this.#routes.close();
  }

  #carryOut(output: SpeakerOutput): void {
    if (output.kind !== 'send') {
      this.#routes.apply(output);
      return this.#onRoute(output);
    }
    const to = output.to === 'multicast' ? BABEL_GROUP : output.to;
    // A packet that cannot be sent is a lost one.
    this.#socket.send(output.packet, BABEL_PORT, `${formatAddress(to)}%${output.interface}`, () => undefined);
  }

  #receive(datagram: Buffer, { address, port }: RemoteInfo): void {
    const [text, link] = address.split('%');
    const from = parseAddress(text);
    // RFC 8966 §4: others on the host must not speak for it.
    if (port !== BABEL_PORT || from === undefined || link === undefined) return;
    this.act((speaker, now) => speaker.handlePacket(link, from, datagram, now));
  }

  #sleep(): void {
    clearTimeout(this.#timer);
    const next = this.#speaker.nextTimeout();
    if (next === undefined) return;
    const wait = Math.min(LONGEST_SLEEP, Math.max(0, Math.ceil(next - bootTime())));
    this.#timer = setTimeout(() => this.act((speaker, now) => speaker.handleTimeout(now)), wait);
  }
}
