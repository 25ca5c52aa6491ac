import type { MessagePort } from 'node:worker_threads';
import { receiveMessageOnPort } from 'node:worker_threads';
import { WiremeshError } from '../error.ts';
import type { Endpoint } from '../inet/index.ts';
import { after, millis, type Millis } from '../machine/index.ts';
import { EventFd, type Tun, type UdpSocket } from '../linux/index.ts';
import type { Device, DeviceOutput, Keypair, Peer, SharingOutput } from '../wireguard/index.ts';
import { Attention } from './attention.ts';
import { SharedEndpoint } from './shared-endpoint.ts';
import type { SocketBorrowers } from './sockets.ts';
import { TEAM_LANES, type TeamOrder, type TeamReport } from './team-messages.ts';
import type { ClonedError } from './thread-messages.ts';

/** How often the device thread looks at what the others did while they do something: its timers count in seconds. */
const LOOK_INTERVAL = millis(100);
/** A thread that has not obeyed by then never will. */
const LONGEST_OBEDIENCE = 10_000;

/** The device thread's end of the way to one transport thread. */
export interface TeamMember {
  readonly port: MessagePort;
  readonly wakeUpFd: number;
}

/** A transport thread does not do as it is told. */
class TeamError extends WiremeshError {
  readonly code = 'DEVICE';
}

/** What a device and its owner are to the team. */
export interface TeamParts {
  readonly device: Device;
  readonly members: readonly TeamMember[];
  readonly lanes: SharedArrayBuffer;
  /** Takes a datagram that is not transport data from a transport thread. Hostile. */
  readonly onDatagram: (datagram: Uint8Array, from: Endpoint, now: Millis) => void;
  readonly onFailure: (error: ClonedError) => void;
}

/** A peer as the transport threads know it. */
interface Listing {
  readonly id: number;
  /** How many packets each thread has staged for it. */
  readonly staged: number[];
  readonly endpoint: SharedEndpoint;
}

/**
 * The transport threads, seen from the device thread. It tells them what they need for sealing and opening, takes in
 * what they cannot deal with, and counts what they did into the peers, whose timers run here. To the event loop it is
 * the device: its output passes through here.
 */
export class TransportTeam implements Pick<Device, 'poll' | 'nextTimeout' | 'handleTimeout'>, SocketBorrowers {
  readonly #parts: TeamParts;
  readonly #wakeUps: readonly EventFd[];
  readonly #attention: Attention;
  readonly #obeyed: Int32Array;
  readonly #listings = new Map<Peer, Listing>();
  readonly #peers = new Map<number, Peer>();
  readonly #keypairs = new Set<Keypair>();
  /** Peers whose staged packets are on their way out, or dropped, once the output has been carried out. */
  readonly #unstaged = new Set<Peer>();
  #nextPeer = 0;
  #order = 0;
  #lookAt: Millis | undefined;
  #hasOrders = false;

  constructor(parts: TeamParts) {
    this.#parts = parts;
    this.#wakeUps = parts.members.map(({ wakeUpFd }) => EventFd.of(wakeUpFd));
    this.#attention = new Attention(new Uint32Array(parts.lanes, 4 * TEAM_LANES.attention, 1));
    this.#obeyed = new Int32Array(parts.lanes, 4 * TEAM_LANES.obeyed);
  }

  get count(): number {
    return this.#parts.members.length;
  }

  /** `queues` has one for each thread. */
  start(queues: readonly Tun[], mtu: number): void {
    queues.forEach(({ fd, name, offloads }, place) => {
      this.#tell(place, { kind: 'start', queue: { fd, name, offloads }, mtu });
    });
    this.#wake();
  }

  set mtu(mtu: number) {
    this.#tellAll({ kind: 'mtu', mtu });
    this.#wake();
  }

  lend(sockets: readonly (readonly UdpSocket[])[]): void {
    this.#order++;
    for (let place = 0; place < this.count; place++) {
      const places = (sockets[place] ?? []).map(({ fd, family, port }) => ({ fd, family, port }));
      this.#tell(place, { kind: 'sockets', sockets: places, order: this.#order });
    }
    this.#awaitObedience();
  }

  /** Returns once no thread uses a descriptor any more. */
  end(): void {
    this.#order++;
    this.#tellAll({ kind: 'end', order: this.#order });
    this.#awaitObedience();
  }

  /** Takes in what the threads report. */
  handleReports(now: Millis): void {
    this.#parts.members.forEach(({ port }, place) => {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
        this.#handleReport(place, next.message as TeamReport, now);
      }
    });
    if (this.#lookAt === undefined) this.#look(now);
  }

  /** Counts what the threads did until now. */
  tally(now: Millis): boolean {
    let isAnything = false;
    for (const keypair of this.#keypairs) if (tallyInto(keypair, now)) isAnything = true;
    return isAnything;
  }

  // The device, as the event loop sees it

  nextTimeout(): Millis | undefined {
    const due = this.#parts.device.nextTimeout();
    if (due === undefined || this.#lookAt === undefined) return due ?? this.#lookAt;
    return millis(Math.min(due, this.#lookAt));
  }

  handleTimeout(now: Millis): void {
    if (this.#lookAt !== undefined && this.#lookAt <= now) this.#look(now);
    this.#parts.device.handleTimeout(now);
  }

  /** Everything but what is for the threads. */
  poll(): Exclude<DeviceOutput, SharingOutput> | undefined {
    const { device } = this.#parts;
    for (let output = device.poll(); output !== undefined; output = device.poll()) {
      if (output.kind === 'handshake-abandoned') this.#unstaged.add(output.peer);
      if (!isSharing(output)) return output;
      this.#share(output);
    }
    // All has been sent, so that what the threads seal from now on comes behind it.
    for (const peer of this.#unstaged) this.#tellUnstaged(peer);
    this.#unstaged.clear();
    this.#wake();
    return undefined;
  }

  #look(now: Millis): void {
    this.#lookAt = this.#attention.attend(() => this.tally(now)) ? after(now, LOOK_INTERVAL) : undefined;
  }

  #handleReport(place: number, report: TeamReport, now: Millis): void {
    switch (report.kind) {
      case 'stage': {
        const peer = this.#peers.get(report.peer);
        if (peer === undefined) return;
        this.#list(peer).staged[place]++;
        peer.stage(report.packet, now);
        // With a keypair, or without an endpoint, it is on its way or gone.
        if (peer.sendingKeypair(now) !== undefined || peer.endpoint === undefined) this.#unstaged.add(peer);
        return;
      }
      case 'heard': {
        const keypair = this.#parts.device.findKeypair(report.localIndex);
        keypair?.peer.afterReceiving(keypair, { packets: 0, bytes: 0 }, report.from, now);
        return;
      }
      case 'datagram':
        return this.#parts.onDatagram(report.datagram, report.from, now);
      case 'failed':
        return this.#parts.onFailure(report.error);
    }
  }

  #share(output: SharingOutput): void {
    switch (output.kind) {
      case 'keypair-made':
        return this.#shareKeypair(output);
      case 'keypair-current':
        this.#unstaged.add(output.keypair.peer);
        return this.#tellAll({ kind: 'keypair-current', localIndex: output.keypair.localIndex });
      case 'keypair-destroyed':
        tallyInto(output.keypair, output.keypair.createdAt);
        this.#keypairs.delete(output.keypair);
        return this.#tellAll({ kind: 'keypair-destroyed', localIndex: output.keypair.localIndex });
      case 'endpoint-changed': {
        const { peer } = output;
        const { id, endpoint } = this.#list(peer);
        if (peer.endpoint !== undefined) endpoint.set(peer.endpoint);
        return this.#tellAll({ kind: 'endpoint', peer: id, endpoint: peer.endpoint });
      }
      case 'allowed-ips-changed': {
        const prefixes = this.#parts.device.allowedIps.list(output.peer);
        return this.#tellAll({ kind: 'allowed-ips', peer: this.#list(output.peer).id, prefixes });
      }
      case 'peer-removed':
        return this.#removePeer(output.peer);
    }
  }

  #shareKeypair({ keypair, keys }: Extract<SharingOutput, { kind: 'keypair-made' }>): void {
    const { role, localIndex, remoteIndex, createdAt, expiresAt, shared } = keypair;
    if (shared !== undefined && !keypair.destroyed) {
      this.#keypairs.add(keypair);
      const { id: peer, endpoint } = this.#list(keypair.peer);
      const session = { role, localIndex, remoteIndex, createdAt, expiresAt, memory: shared.memory };
      for (let place = 0; place < this.count; place++) {
        // Handed over instead of cloned, so that the thread wipes the only copy.
        const copies = { sendKey: keys.sendKey.slice(), receiveKey: keys.receiveKey.slice() };
        const transfer = [copies.sendKey.buffer, copies.receiveKey.buffer];
        this.#tell(place, { kind: 'keypair', peer, endpoint: endpoint.memory, keys: copies, session }, transfer);
      }
    }
    keys.sendKey.fill(0);
    keys.receiveKey.fill(0);
  }

  #removePeer(peer: Peer): void {
    const listing = this.#listings.get(peer);
    if (listing === undefined) return;
    this.#listings.delete(peer);
    this.#peers.delete(listing.id);
    this.#unstaged.delete(peer);
    this.#tellAll({ kind: 'peer-removed', peer: listing.id });
  }

  #tellUnstaged(peer: Peer): void {
    const listing = this.#listings.get(peer);
    listing?.staged.forEach((count, place) => {
      if (count > 0) this.#tell(place, { kind: 'staged', peer: listing.id, count });
    });
  }

  #list(peer: Peer): Listing {
    let listing = this.#listings.get(peer);
    if (listing === undefined) {
      listing = { id: this.#nextPeer++, staged: new Array<number>(this.count).fill(0), endpoint: new SharedEndpoint() };
      this.#listings.set(peer, listing);
      this.#peers.set(listing.id, peer);
      this.#tellAll({ kind: 'peer', peer: listing.id, publicKey: peer.publicKey });
    }
    return listing;
  }

  #tellAll(order: TeamOrder): void {
    for (let place = 0; place < this.count; place++) this.#tell(place, order);
  }

  #tell(place: number, order: TeamOrder, transfer: ArrayBuffer[] = []): void {
    this.#parts.members[place].port.postMessage(order, transfer);
    this.#hasOrders = true;
  }

  #wake(): void {
    if (!this.#hasOrders) return;
    this.#hasOrders = false;
    for (const wakeUp of this.#wakeUps) wakeUp.signal();
  }

  #awaitObedience(): void {
    this.#wake();
    for (let place = 0; place < this.count; place++) {
      for (let obeyed = Atomics.load(this.#obeyed, place); obeyed !== this.#order;) {
        if (Atomics.wait(this.#obeyed, place, obeyed, LONGEST_OBEDIENCE) === 'timed-out') {
          throw new TeamError(`transport thread ${place + 1} does not answer`);
        }
        obeyed = Atomics.load(this.#obeyed, place);
      }
    }
  }
}

/** @returns whether threads did anything with `keypair` since the last time */
function tallyInto(keypair: Keypair, now: Millis): boolean {
  const tally = keypair.shared?.tally();
  if (tally === undefined) return false;
  const { peer } = keypair;
  const { sent, received, wasReceivedLast } = tally;
  if (sent.bytes > 0 && wasReceivedLast) peer.afterSending(keypair, sent.packets, sent.bytes, now);
  if (received.bytes > 0) peer.afterReceiving(keypair, received, undefined, now);
  if (sent.bytes > 0 && !wasReceivedLast) peer.afterSending(keypair, sent.packets, sent.bytes, now);
  return true;
}

function isSharing(output: DeviceOutput): output is SharingOutput {
  switch (output.kind) {
    case 'keypair-made':
    case 'keypair-current':
    case 'keypair-destroyed':
    case 'endpoint-changed':
    case 'allowed-ips-changed':
    case 'peer-removed':
      return true;
    default:
      return false;
  }
}
