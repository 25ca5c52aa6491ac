/**
 * The device thread: a worker that opens a TUN device and runs WireGuard on it (DESIGN.md §3). It blocks in
 * `epoll_wait`, with no libuv in the path; commands wait in a message port until an eventfd wakes it.
 */
import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import type { Endpoint, IpAddress } from '../inet/index.ts';
import {
  bootTime,
  DatagramFilter,
  type DatagramForm,
  errnoName,
  EventFd,
  LinkMonitor,
  openTun,
  openTunQueues,
  SocketAddress,
  SystemCallError,
  type Tun,
} from '../linux/index.ts';
import { after, millis, seconds, type Millis } from '../machine/index.ts';
import {
  Device,
  InvalidConfigurationError,
  wipeSecrets,
  type DeviceChange,
  type DeviceOutput,
} from '../wireguard/index.ts';
import { clonedError } from './cloned-error.ts';
import { ControlListener, ControlRelay } from './control/index.ts';
import { DATA_PATH_BYTES, DataPath, type DataPathParts } from './data-path.ts';
import { EventLoop } from './event-loop.ts';
import type { InboundPath } from './inbound-path.ts';
import { KeyLog } from './key-log.ts';
import type { PacketLimits } from './packet-limits.ts';
import { PacketMemory } from './packet-memory.ts';
import type { PathPeer } from './path-device.ts';
import { pathCounters } from './path-counters.ts';
import { PeerReports } from './peer-reports.ts';
import type { Relay, RelayConfiguration } from './relay.ts';
import { Sockets } from './sockets.ts';
import type { TeamOrder } from './team-messages.ts';
import type { Command, ControlOptions, DeviceThreadOptions, Report } from './thread-messages.ts';
import { TransportTeam, type TeamMember } from './transport-team.ts';
import { TunLink, type TunLinkChange } from './tun-link.ts';
import { TunWriter } from './tun-writer.ts';
import type { TunnelMessages } from './tunnel-messages.ts';
import { noWork } from './work.ts';

interface ThreadData {
  readonly options: DeviceThreadOptions;
  readonly port: MessagePort;
  readonly wakeUpFd: number;
  /** The transport threads, none if there is one thread, and what all threads share. */
  readonly members: readonly TeamMember[];
  readonly lanes: SharedArrayBuffer;
}

/** A queue for each thread; one alone where the kernel would let packets of a flow overtake each other. */
interface Queues {
  readonly tun: Tun;
  readonly others: readonly Tun[];
  /** Why there are fewer than were asked for. */
  readonly reason?: string;
}

/** The protocol's times go on while the machine sleeps: a key that ran out in the night is not to be used at dawn. */
const clock = (): Millis => millis(bootTime());
const unixTime = (): Millis => millis(Date.now());

/** What the kernel answers where no datagram would get through (ip(7), udp(7)), rather than just not this one. */
const PATH_ERRORS: ReadonlySet<string> = new Set([
  'EACCES',
  'EADDRNOTAVAIL',
  'ECONNREFUSED',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EPERM',
]);

/** The first byte of the four messages (whitepaper §5.4). */
const WIREGUARD_FORMS = [[1], [2], [3], [4]];
const FORBIDDEN_INTERVAL = seconds(60);

class DeviceThread {
  readonly #port: MessagePort;
  readonly #tun: Tun;
  readonly #device: Device;
  readonly #team: TransportTeam | undefined;
  readonly #sockets: Sockets;
  #keyLog: KeyLog | undefined;
  readonly #counters = pathCounters();
  readonly #work = noWork();
  readonly #control: ControlRelay;
  #listener: ControlListener | undefined;
  readonly #relay: Relay;
  readonly #tunnelMessages: TunnelMessages;
  readonly #limits: PacketLimits;
  readonly #inbound: InboundPath;
  readonly #loop: EventLoop;
  readonly #to = new SocketAddress();
  #isUp = false;
  #forbiddenQuietUntil = millis(0);

  constructor(data: ThreadData, queues: Queues, link: TunLink, keyLog: KeyLog | undefined) {
    const { options, port, wakeUpFd } = data;
    this.#port = port;
    this.#tun = queues.tun;
    this.#keyLog = keyLog;
    const { aead, name: aeadName, reason: aeadReason } = chooseAead();
    this.#device = new Device({
      primitives: nodePrimitives(aead),
      unixTime,
      timing: options.timing ?? {},
      revealSecrets: keyLog !== undefined,
      shareKeypairs: queues.others.length > 0,
    });
    this.#device.mtu = options.mtu;
    this.#team = this.#assemble(data, queues);
    this.#sockets = new Sockets(clock, this.#team);
    this.#control = new ControlRelay(this.#counters, clock, (datagram, from) =>
      this.#report({ kind: 'datagram', datagram, from }),
    );
    const shared = {
      tun: this.#tun,
      device: this.#device,
      sockets: this.#sockets,
      pathErrors: new PeerReports((peer, errno) => this.#reportPathError(peer, errno)),
    };
    const { outbound, inbound, relay, tunnelMessages, limits } = this.#createDataPath(shared);
    this.#relay = relay;
    this.#tunnelMessages = tunnelMessages;
    this.#limits = limits;
    this.#inbound = inbound;
    this.#loop = new EventLoop({
      ...shared,
      counters: this.#counters,
      work: this.#work,
      device: this.#team ?? this.#device,
      outbound,
      inbound,
      relay,
      limits,
      wakeUp: EventFd.of(wakeUpFd),
      link,
      clock,
      onWakeUp: (now) => this.#takeCommands(now),
      onLinkChange: (change) => this.#handleLinkChange(change),
      onOutput: (output) => this.#handleOutput(output),
    });
    const { mayBeUrgent } = this.#loop;
    const threads = { threads: 1 + queues.others.length, threadsReason: queues.reason };
    this.#report({ kind: 'started', interfaceName: this.#tun.name, aeadName, aeadReason, mayBeUrgent, ...threads });
  }

  /** The transport threads at work, or `undefined` where this thread does all. */
  #assemble({ members, lanes, options }: ThreadData, { others }: Queues): TransportTeam | undefined {
    if (others.length === 0) return undefined;
    const team = new TransportTeam({
      device: this.#device,
      members,
      lanes,
      onDatagram: (datagram, from, now) => this.#takeDatagram(datagram, from, now),
      onFailure: (error) => {
        this.#report({ kind: 'failed', error });
        this.#loop.stop();
      },
    });
    team.start(others, options.mtu);
    return team;
  }

  #takeDatagram(datagram: Uint8Array, from: Endpoint, now: Millis): void {
    if (datagram[0] >= 1 && datagram[0] <= 4) this.#inbound.takeHandshake(datagram, from, now);
    else this.#control.take(datagram, from);
  }

  #createDataPath(shared: Pick<DataPathParts, 'tun' | 'device' | 'sockets' | 'pathErrors'>): DataPath {
    const counters = this.#counters;
    const memory = new PacketMemory(DATA_PATH_BYTES);
    return new DataPath({
      ...shared,
      counters,
      work: this.#work,
      memory,
      writer: new TunWriter(this.#tun, counters, memory.checksums),
      toControl: (datagram, from) => this.#control.take(datagram, from),
      onTunnelMessage: (message, from) => this.#report({ kind: 'tunnel-message', message, from }),
      beforeDelivery: this.#team === undefined ? undefined : (now) => this.#loop.drainOutput(now),
      activity: new PeerReports(({ publicKey }) => this.#report({ kind: 'peer-active', publicKey })),
    });
  }

  run(): void {
    try {
      this.#loop.run();
    } catch (error) {
      // What the TUN device says when it is deleted may come before the word of the link monitor.
      if (!(error instanceof SystemCallError && error.errno === 'EBADFD')) throw error;
      this.#report({ kind: 'interface-removed' });
    } finally {
      this.#sockets.close();
      this.#listener?.close();
      this.#team?.end();
      this.#keyLog?.close();
    }
  }

  #takeCommands(now: Millis): void {
    this.#team?.handleReports(now);
    for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
      const command = next.message as Command;
      try {
        this.#execute(command, now);
      } catch (error) {
        if (!('id' in command)) throw error;
        this.#report({ kind: 'refused', id: command.id, error: clonedError(error) });
      }
    }
  }

  #execute(command: Command, now: Millis): void {
    switch (command.kind) {
      case 'send':
        this.#to.fromEndpoint(command.to);
        this.#reportForbidden(this.#loop.send(command.datagram, this.#to), command.to, now);
        return;
      case 'send-in-tunnel':
        this.#tunnelMessages.send(command.message, command.to, now);
        this.#loop.drainOutput(now);
        return;
      case 'configure':
        try {
          this.#configure(command.change, now);
        } finally {
          wipeSecrets(command.change);
        }
        break;
      case 'join-group':
        this.#joinGroup(command.group, command.interfaceIndex);
        break;
      case 'take-control':
        return this.#report({ kind: 'reply', id: command.id, reason: this.#takeControl(command.options) });
      case 'known-sources':
        this.#control.setKnown(command.addresses);
        break;
      case 'configure-relay':
        this.#configureRelay(command.configuration);
        break;
      case 'relay-routes':
        this.#relay.setRoutes(command.changes);
        break;
      case 'packet-limits':
        this.#limits.set(command.changes);
        break;
      case 'counters':
        this.#counters.droppedByKernel = this.#sockets.dropped + (this.#listener?.socket.dropped ?? 0);
        return this.#report({ kind: 'reply', id: command.id, counters: this.#counters });
      case 'close':
        this.#loop.stop();
        break;
      case 'state': {
        this.#team?.tally(now);
        const { port, fwmark } = this.#sockets;
        const state = command.withSecrets ? this.#device.state() : this.#device.publicState(command.peers);
        this.#report({ kind: 'reply', id: command.id, state: { ...state, listenPort: port, fwmark } });
        return wipeSecrets(state);
      }
    }
    this.#report({ kind: 'reply', id: command.id });
  }

  /** What the host may refuse comes first, so that a refusal leaves the peers as they were. */
  #configure(change: DeviceChange, now: Millis): void {
    if (change.listenPort !== undefined) this.#bind(change.listenPort);
    if (change.fwmark !== undefined) this.#sockets.setFwmark(change.fwmark);
    this.#device.configure(change, now);
    this.#relay.findPeers();
    this.#loop.drainOutput(now);
  }

  #joinGroup(group: IpAddress, interfaceIndex: number): void {
    if (this.#listener === undefined) this.#sockets.joinGroup(group, interfaceIndex);
    else this.#listener.socket.joinGroup(group.bytes, interfaceIndex);
  }

  /** @returns why the kernel does not filter, where it does not */
  #takeControl({ form, kin, sharedPort }: ControlOptions): string | undefined {
    this.#control.expect(form, kin, () => void this.#filter(form));
    if (sharedPort !== undefined) {
      this.#listener = new ControlListener(sharedPort, this.#control);
      this.#loop.listen(this.#listener);
    }
    return this.#filter(kin);
  }

  /** @returns as `#takeControl` */
  #filter(form: DatagramForm): string | undefined {
    try {
      this.#sockets.filter = new DatagramFilter([...WIREGUARD_FORMS, form]);
      this.#listener?.filter(new DatagramFilter([form]));
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** What hosts may not send, and what peers may not deliver, is looked at in this thread alone. */
  #configureRelay(configuration: RelayConfiguration): void {
    if (this.#team !== undefined)
      throw new InvalidConfigurationError('a device with several threads cannot relay: start it with one');
    this.#relay.configure(configuration);
  }

  #handleOutput(output: Exclude<DeviceOutput, { kind: 'send' | 'deliver' }>): void {
    if (output.kind === 'handshake-complete' || output.kind === 'handshake-abandoned') {
      this.#report({ kind: output.kind, publicKey: output.peer.publicKey });
    }
    // What is for transport threads has not come this far.
    if (output.kind !== 'handshake-secrets') return;
    try {
      this.#keyLog?.write(output.secrets);
    } catch (error) {
      this.#report({ kind: 'key-log-failed', error: clonedError(error) });
      this.#keyLog?.close();
      this.#keyLog = undefined;
    }
  }

  /** Who does not relay does not look for other ways either. */
  #reportPathError({ publicKey }: PathPeer, errno: number): void {
    const name = errnoName(errno);
    if (!this.#relay.isConfigured) return;
    if (PATH_ERRORS.has(name)) this.#report({ kind: 'path-error', publicKey, errno: name });
    else if (name === 'EMSGSIZE') this.#report({ kind: 'length-refused', publicKey });
  }

  #reportForbidden(errno: number, to: Endpoint, now: Millis): void {
    if (errno === 0 || now < this.#forbiddenQuietUntil) return;
    const name = errnoName(errno);
    if (name !== 'EPERM' && name !== 'EACCES') return;
    this.#forbiddenQuietUntil = after(now, FORBIDDEN_INTERVAL);
    this.#report({ kind: 'send-forbidden', to, errno: name });
  }

  #bind(port: number): void {
    if (this.#sockets.bind(port)) this.#loop.watchSockets();
  }

  /** As with other implementations, a device that is down has no socket (`ip link set NAME down`). */
  #handleLinkChange(change: TunLinkChange): void {
    if (change.kind === 'removed') {
      this.#report({ kind: 'interface-removed' });
      this.#loop.stop();
      return;
    }
    const { up, mtu } = change;
    this.#device.mtu = mtu;
    if (this.#team !== undefined) this.#team.mtu = mtu;
    if (up === this.#isUp) return;
    this.#isUp = up;
    if (!up) this.#sockets.close();
    else if (this.#sockets.open.length === 0) this.#bindAgain();
  }

  #bindAgain(): void {
    try {
      this.#bind(this.#sockets.port);
    } catch (error) {
      this.#report({ kind: 'failed', error: clonedError(error) });
    }
  }

  #report(report: Report): void {
    this.#port.postMessage(report);
  }
}

/** @throws InterfaceNameError, TunError, SystemCallError */
function openQueues(name: string, count: number): Queues {
  if (count === 1) return { tun: openTun(name), others: [] };
  try {
    const [tun, ...others] = openTunQueues(name, count);
    return { tun, others };
  } catch (error) {
    if (!(error instanceof SystemCallError && error.call === 'bpf')) throw error;
    return { tun: openTun(name), others: [], reason: error.message };
  }
}

function main(data: ThreadData): void {
  // Opened before the device, so that nothing that happens to that is missed.
  const monitor = new LinkMonitor();
  try {
    const { name, keyLogFile } = data.options;
    const keyLog = keyLogFile === undefined ? undefined : new KeyLog(keyLogFile);
    const queues = openQueues(name, 1 + data.members.length);
    const link = new TunLink(queues.tun, monitor);
    try {
      new DeviceThread(data, queues, link, keyLog).run();
    } finally {
      link.close();
      for (const queue of [queues.tun, ...queues.others]) queue.close();
    }
  } catch (error) {
    data.port.postMessage({ kind: 'failed', error: clonedError(error) } satisfies Report);
  } finally {
    monitor.close();
    endMembers(data.members);
  }
}

/** Also where the device did not come into being: a thread that waits for orders can be ended in no other way. */
function endMembers(members: readonly TeamMember[]): void {
  for (const { port, wakeUpFd } of members) {
    port.postMessage({ kind: 'end', order: 0 } satisfies TeamOrder);
    EventFd.of(wakeUpFd).signal();
  }
}

main(workerData as ThreadData);
