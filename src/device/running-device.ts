import { once } from 'node:events';
import { extname } from 'node:path';
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads';
import type { AeadName } from '../crypto/aead.ts';
import { WiremeshError } from '../error.ts';
import type { Endpoint, IpAddress } from '../inet/index.ts';
import { EventFd } from '../linux/index.ts';
import type { DeviceChange, DeviceState } from '../wireguard/index.ts';
import type { PacketLimitChange } from './packet-limits.ts';
import type { PathCounters } from './path-counters.ts';
import type { RelayConfiguration } from './relay.ts';
import type { RelayRouteChange } from './relay-table.ts';
import { TEAM_LANES, type TransportThreadData } from './team-messages.ts';
import type {
  ClonedError,
  Command,
  ControlOptions,
  DeviceEvent,
  DeviceThreadOptions,
  Report,
} from './thread-messages.ts';

/** An error of the device thread; `code` is that of the error over there. */
export class DeviceError extends WiremeshError {
  readonly code: string;
  constructor({ code, message }: ClonedError) {
    super(message);
    this.code = code;
  }
}

/**
 * Packets allocate nothing, and a thread that blocks in `epoll_wait` never gets to give memory back: what a large
 * configuration makes the young generation grow to, 48 MB by default, the process would keep for good.
 */
const YOUNG_GENERATION_MB = 6;

type Reply = (report: Extract<Report, { kind: 'reply' | 'refused' }>) => void;
/** A command less its `id`, for each member of the union. */
type Unnumbered<C> = C extends { readonly id: number } ? Omit<C, 'id'> : never;

function startThread(name: string, workerData: unknown, transferList: MessagePort[]): Worker {
  return new Worker(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url), {
    workerData,
    transferList,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
  });
}

function startTransportThread(team: Omit<TransportThreadData, 'port' | 'wakeUpFd'>) {
  const wakeUp = new EventFd();
  const { port1, port2 } = new MessageChannel();
  const data: TransportThreadData = { ...team, port: port2, wakeUpFd: wakeUp.fd };
  const worker = startThread('transport-thread', data, [port2]);
  return { worker, wakeUp, member: { port: port1, wakeUpFd: wakeUp.fd } };
}

/**
 * A WireGuard interface that runs in a thread of its own, seen from the thread that owns it. The thread blocks in
 * `epoll_wait`, so a message is put into its port and an eventfd wakes it.
 */
export class RunningDevice {
  readonly interfaceName: string;
  readonly aeadName: AeadName;
  /** Why the fast AEAD is not in use, where it is not. */
  readonly aeadReason: string | undefined;
  /** Whether the host lets the thread go before the applications when packets come (CAP_SYS_NICE). */
  readonly mayBeUrgent: boolean;
  /** How many threads seal and open packets. */
  readonly threads: number;
  /** Why there are fewer than were asked for, if so. */
  readonly threadsReason: string | undefined;
  /** Control messages that came in on the UDP port: the first byte is not one of WireGuard's. Hostile. */
  onDatagram: (datagram: Uint8Array, from: Endpoint) => void = () => {};
  /** Messages of the mesh's nodes out of the tunnel: WireGuard has authenticated the node that has the address `from`. */
  onTunnelMessage: (message: Uint8Array, from: IpAddress) => void = () => {};
  onEvent: (event: DeviceEvent) => void = () => {};
  readonly #port: MessagePort;
  readonly #wakeUp: EventFd;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<number, Reply>();
  #nextId = 0;
  #hasEnded = false;

  /** Opens the TUN device and starts its thread. @throws DeviceError with the code of what went wrong */
  static async start(options: DeviceThreadOptions): Promise<RunningDevice> {
    const wakeUp = new EventFd();
    const { port1, port2 } = new MessageChannel();
    const lanes = new SharedArrayBuffer(4 * (TEAM_LANES.obeyed + (options.threads ?? 1)));
    const transport = Array.from({ length: (options.threads ?? 1) - 1 }, (_, place) =>
      startTransportThread({ lanes, place, deviceWakeUpFd: wakeUp.fd }),
    );
    const members = transport.map(({ member }) => member);
    const data = { options, port: port2, wakeUpFd: wakeUp.fd, members, lanes };
    const worker = startThread('device-thread', data, [port2, ...members.map(({ port }) => port)]);
    const workers = [worker, ...transport.map(({ worker }) => worker)];
    const ended = Promise.all(workers.map((each) => once(each, 'exit'))).then(() => {
      for (const { wakeUp } of transport) wakeUp.close();
    });
    const crashed = new Promise<Report>((resolve) => {
      for (const each of workers) {
        each.once('error', (error: Error) =>
          resolve({ kind: 'failed', error: { code: 'DEVICE', message: error.message } }),
        );
      }
    });
    const first = await Promise.race([once(port1, 'message').then(([report]) => report as Report), crashed]);
    if (first.kind !== 'started') {
      port1.close();
      await ended;
      wakeUp.close();
      throw new DeviceError(
        first.kind === 'failed' ? first.error : { code: 'DEVICE', message: 'the device thread did not start' },
      );
    }
    const device = new RunningDevice(first, port1, wakeUp, ended);
    void crashed.then((report) => device.#handle(report));
    return device;
  }

  private constructor(
    started: Extract<Report, { kind: 'started' }>,
    port: MessagePort,
    wakeUp: EventFd,
    ended: Promise<void>,
  ) {
    this.interfaceName = started.interfaceName;
    this.aeadName = started.aeadName;
    this.aeadReason = started.aeadReason;
    this.mayBeUrgent = started.mayBeUrgent;
    this.threads = started.threads;
    this.threadsReason = started.threadsReason;
    this.#port = port;
    this.#wakeUp = wakeUp;
    this.#ended = ended.then(() => this.#end());
    port.on('message', (report: Report) => this.#handle(report));
  }

  /** Applies all of `change`, or nothing and throws. A `listenPort` is bound when this returns. */
  async configure(change: DeviceChange): Promise<void> {
    await this.#ask({ kind: 'configure', change });
  }

  /** With all keys, for the caller to wipe (`wipeSecrets`). */
  async state(): Promise<DeviceState> {
    return this.#state(true);
  }

  /** Without private and preshared keys, whether there are any or not; of the peers with these public keys, if given. */
  async publicState(peers?: readonly Uint8Array[]): Promise<DeviceState> {
    return this.#state(false, peers);
  }

  async #state(withSecrets: boolean, peers?: readonly Uint8Array[]): Promise<DeviceState> {
    const { state } = await this.#ask({ kind: 'state', withSecrets, peers });
    if (state === undefined)
      throw new DeviceError({ code: 'DEVICE', message: 'the device thread answered without a state' });
    return state;
  }

  /** Sends a control message from the UDP port. Like every datagram it may be lost, in silence. */
  sendDatagram(datagram: Uint8Array, to: Endpoint): void {
    this.#command({ kind: 'send', datagram, to });
  }

  /**
   * Sends a message to the node that has the address, inside the session with it. Commands are carried out in their
   * order, so it goes to the peers that an earlier `configure` made, whether that has returned or not.
   */
  sendInTunnel(message: Uint8Array, to: IpAddress): void {
    this.#command({ kind: 'send-in-tunnel', message, to });
  }

  /**
   * Has control messages passed on, of this form and no other; where the kernel can be told, it drops what is neither one
   * nor WireGuard's. @returns why it cannot, if so. @throws DeviceError if the shared port cannot be had
   */
  async takeControl(options: ControlOptions): Promise<string | undefined> {
    return (await this.#ask({ kind: 'take-control', options })).reason;
  }

  /** Keeps a share of what is passed on for these: strangers cannot use it up, unless in their names. */
  async setKnownSources(addresses: readonly IpAddress[]): Promise<void> {
    await this.#ask({ kind: 'known-sources', addresses });
  }

  /** Has the IPv6 socket, or that of the shared port, receive what is sent to a multicast group on one interface. */
  async joinGroup(group: IpAddress, interfaceIndex: number): Promise<void> {
    await this.#ask({ kind: 'join-group', group, interfaceIndex });
  }

  /**
   * Makes the device a part of a mesh whose nodes relay for each other: from now on a peer whose endpoint is an address
   * of the mesh with port `RELAY_PORT` is spoken to over the routes that `setRelayRoutes` sets.
   */
  async configureRelay(configuration: RelayConfiguration): Promise<void> {
    await this.#ask({ kind: 'configure-relay', configuration });
  }

  /** Changes over which neighbours other nodes are reached. Applies all of `changes`, or nothing and throws. */
  async setRelayRoutes(changes: readonly RelayRouteChange[]): Promise<void> {
    await this.#ask({ kind: 'relay-routes', changes });
  }

  /**
   * Changes how long packets to peers may be, on the ways that they take now: what is longer is cut or refused, the host
   * is told by Packet Too Big, and no datagram to these peers is fragmented.
   */
  async setPacketLimits(changes: readonly PacketLimitChange[]): Promise<void> {
    await this.#ask({ kind: 'packet-limits', changes });
  }

  /** What the data path has dropped so far. */
  async counters(): Promise<PathCounters> {
    const { counters } = await this.#ask({ kind: 'counters' });
    if (counters === undefined)
      throw new DeviceError({ code: 'DEVICE', message: 'the device thread answered without counters' });
    return counters;
  }

  /** Ends the thread, which closes the sockets and removes the interface. */
  async close(): Promise<void> {
    if (!this.#hasEnded) void this.#ask({ kind: 'close' }).catch(() => {});
    await this.#ended;
  }

  #ask(command: Unnumbered<Command>): Promise<Extract<Report, { kind: 'reply' }>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return reject(new DeviceError(ENDED));
      this.#waiting.set(id, (report) => {
        if (report.kind === 'refused') reject(new DeviceError(report.error));
        else resolve(report);
      });
      this.#command({ ...command, id } as Command);
    });
  }

  #command(command: Command): void {
    if (this.#hasEnded) return;
    this.#port.postMessage(command);
    this.#wakeUp.signal();
  }

  #handle(report: Report): void {
    switch (report.kind) {
      case 'reply':
      case 'refused': {
        const reply = this.#waiting.get(report.id);
        this.#waiting.delete(report.id);
        reply?.(report);
        break;
      }
      case 'datagram':
        this.onDatagram(report.datagram, report.from);
        break;
      case 'tunnel-message':
        this.onTunnelMessage(report.message, report.from);
        break;
      case 'started':
        break;
      default:
        this.onEvent(report);
    }
  }

  #end(): void {
    // The thread may end before its last words have been delivered.
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      this.#handle(next.message as Report);
    }
    this.#hasEnded = true;
    this.#port.close();
    this.#wakeUp.close();
    for (const [id, reply] of this.#waiting) reply({ kind: 'refused', id, error: ENDED });
    this.#waiting.clear();
  }
}

const ENDED: ClonedError = { code: 'DEVICE_ENDED', message: 'the device thread has ended' };
