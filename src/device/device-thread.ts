/**
 * The device thread: a worker that opens a TUN device and runs WireGuard on it (DESIGN.md §3). It blocks in
 * `epoll_wait`, with no libuv in the path; commands wait in a message port until an eventfd wakes it.
 */
import { receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { WiremeshError } from '../error.ts';
import {
  bootTime,
  errnoName,
  EventFd,
  LinkMonitor,
  openTun,
  SocketAddress,
  SystemCallError,
  type Tun,
} from '../linux/index.ts';
import { millis, type Millis } from '../machine/index.ts';
import { Device, wipeSecrets, type DeviceChange, type DeviceOutput, type Peer } from '../wireguard/index.ts';
import { ControlRelay } from './control-relay.ts';
import { DATA_PATH_BYTES, DataPath, type DataPathParts } from './data-path.ts';
import { EventLoop } from './event-loop.ts';
import { KeyLog } from './key-log.ts';
import { PacketMemory } from './packet-memory.ts';
import { pathCounters } from './path-counters.ts';
import { PeerReports } from './peer-reports.ts';
import type { Relay } from './relay.ts';
import { Sockets } from './sockets.ts';
import type { ClonedError, Command, DeviceThreadOptions, Report } from './thread-messages.ts';
import { TunLink, type TunLinkChange } from './tun-link.ts';
import { TunWriter } from './tun-writer.ts';

interface ThreadData {
  readonly options: DeviceThreadOptions;
  readonly port: MessagePort;
  readonly wakeUpFd: number;
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

class DeviceThread {
  readonly #port: MessagePort;
  readonly #tun: Tun;
  readonly #device: Device;
  readonly #sockets = new Sockets();
  #keyLog: KeyLog | undefined;
  readonly #counters = pathCounters();
  readonly #relay: Relay;
  readonly #loop: EventLoop;
  readonly #to = new SocketAddress();
  #isUp = false;

  constructor({ options, port, wakeUpFd }: ThreadData, tun: Tun, link: TunLink, keyLog: KeyLog | undefined) {
    this.#port = port;
    this.#tun = tun;
    this.#keyLog = keyLog;
    const { aead, name: aeadName, reason: aeadReason } = chooseAead();
    this.#device = new Device({
      primitives: nodePrimitives(aead),
      unixTime,
      timing: options.timing ?? {},
      revealSecrets: keyLog !== undefined,
    });
    this.#device.mtu = options.mtu;
    const shared = {
      tun: this.#tun,
      device: this.#device,
      sockets: this.#sockets,
      pathErrors: new PeerReports((peer, errno) => this.#reportPathError(peer, errno)),
    };
    const { outbound, inbound, relay } = this.#createDataPath(shared);
    this.#relay = relay;
    this.#loop = new EventLoop({
      ...shared,
      counters: this.#counters,
      outbound,
      inbound,
      relay,
      wakeUp: EventFd.of(wakeUpFd),
      link,
      clock,
      onWakeUp: (now) => this.#takeCommands(now),
      onLinkChange: (change) => this.#handleLinkChange(change),
      onOutput: (output) => this.#handleOutput(output),
    });
    const { mayBeUrgent } = this.#loop;
    this.#report({ kind: 'started', interfaceName: this.#tun.name, aeadName, aeadReason, mayBeUrgent });
  }

  #createDataPath(shared: Pick<DataPathParts, 'tun' | 'device' | 'sockets' | 'pathErrors'>): DataPath {
    const counters = this.#counters;
    const memory = new PacketMemory(DATA_PATH_BYTES);
    const control = new ControlRelay(counters, clock, (datagram, from) =>
      this.#report({ kind: 'datagram', datagram, from }),
    );
    return new DataPath({
      ...shared,
      counters,
      memory,
      writer: new TunWriter(this.#tun, counters, memory.checksums),
      toControl: (datagram, from) => control.take(datagram, from),
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
      this.#keyLog?.close();
    }
  }

  #takeCommands(now: Millis): void {
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
        this.#loop.send(command.datagram, this.#to);
        return;
      case 'configure':
        try {
          this.#configure(command.change, now);
        } finally {
          wipeSecrets(command.change);
        }
        break;
      case 'join-group':
        this.#sockets.joinGroup(command.group, command.interfaceIndex);
        break;
      case 'configure-relay':
        this.#relay.configure(command.configuration);
        break;
      case 'relay-routes':
        this.#relay.setRoutes(command.changes);
        break;
      case 'counters':
        return this.#report({ kind: 'reply', id: command.id, counters: this.#counters });
      case 'close':
        this.#loop.stop();
        break;
      case 'state': {
        const { port, fwmark } = this.#sockets;
        const state = command.withSecrets ? this.#device.state() : this.#device.publicState();
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

  #handleOutput(output: Exclude<DeviceOutput, { kind: 'send' | 'deliver' }>): void {
    if (output.kind !== 'handshake-secrets') {
      this.#report({ kind: output.kind, publicKey: output.peer.publicKey });
      return;
    }
    try {
      this.#keyLog?.write(output.secrets);
    } catch (error) {
      this.#report({ kind: 'key-log-failed', error: clonedError(error) });
      this.#keyLog?.close();
      this.#keyLog = undefined;
    }
  }

  /** Who does not relay does not look for other ways either. */
  #reportPathError({ publicKey }: Peer, errno: number): void {
    const name = errnoName(errno);
    if (this.#relay.isConfigured && PATH_ERRORS.has(name)) this.#report({ kind: 'path-error', publicKey, errno: name });
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

function clonedError(error: unknown): ClonedError {
  if (error instanceof WiremeshError) return { code: error.code, message: error.message };
  return { code: 'DEVICE', message: error instanceof Error ? error.message : String(error) };
}

function main(data: ThreadData): void {
  // Opened before the device, so that nothing that happens to that is missed.
  const monitor = new LinkMonitor();
  try {
    const { name, keyLogFile } = data.options;
    const keyLog = keyLogFile === undefined ? undefined : new KeyLog(keyLogFile);
    const tun = openTun(name);
    const link = new TunLink(tun, monitor);
    try {
      new DeviceThread(data, tun, link, keyLog).run();
    } finally {
      link.close();
      tun.close();
    }
  } catch (error) {
    data.port.postMessage({ kind: 'failed', error: clonedError(error) } satisfies Report);
  } finally {
    monitor.close();
  }
}

main(workerData as ThreadData);
