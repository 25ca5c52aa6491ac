import type { Endpoint, IpAddress, Prefix } from '../inet/index.ts';
import { millis, type Machine, type Millis } from '../machine/index.ts';
import type { DeviceEvent } from '../device/index.ts';
import type {
  BootstrapState,
  NodeEvent,
  NodeInput,
  NodeOutput,
  Notice,
  PacketLimitChange,
  RelayRouteChange,
} from '../mesh/index.ts';
import type { DeviceChange, DeviceState } from '../wireguard/index.ts';
import { beaconEndpoint } from './beacon-group.ts';

/** The counters and endpoints of all peers are looked at this often; of one, whenever the device speaks of it. */
const DEVICE_POLL_INTERVAL_MS = 15_000;

/** The part of a device that the mesh needs. */
export interface MeshDevice {
  configure(change: DeviceChange): Promise<void>;
  setRelayRoutes(changes: readonly RelayRouteChange[]): Promise<void>;
  setPacketLimits(changes: readonly PacketLimitChange[]): Promise<void>;
  publicState(peers?: readonly Uint8Array[]): Promise<DeviceState>;
  sendDatagram(datagram: Uint8Array, to: Endpoint): void;
  sendInTunnel(message: Uint8Array, to: IpAddress): void;
}

/** The world of one mesh node: what its outputs act on. */
export interface NodeWorld {
  readonly device: MeshDevice;
  /** Has the kernel send traffic for a network of others into the mesh, or not any more. */
  routeImport(prefix: Prefix, isWanted: boolean): void;
  storeSequence(sequence: number): void;
  storeSeqno(seqno: number): void;
  storeMemory(memory: Uint8Array): void;
  onEvent(event: NodeEvent): void;
  onBootstrapState(endpoint: Endpoint, state: BootstrapState): void;
  onNotice(notice: Notice): void;
  /** Something went wrong that the node can live with. */
  onTrouble(what: string, error: unknown): void;
}

/** Monotonic: it does not jump when somebody sets the clock. */
function monotonicNow(): Millis {
  return millis(performance.timeOrigin + performance.now());
}

/** Gives a mesh node its clock and carries its outputs out, in their order. */
export class Wiring {
  readonly #node: Machine<NodeInput, NodeOutput>;
  readonly #world: NodeWorld;
  readonly #now: () => Millis;
  #timer: NodeJS.Timeout | undefined;
  #pollTimer: NodeJS.Timeout | undefined;
  /** By their hexadecimal text: the public keys of peers of which the device has said that there is news. */
  readonly #toAsk = new Map<string, Uint8Array>();
  #mustAskForAll = false;
  #isAsking = false;
  /** Changes of the device that were asked for so far. */
  #changeCount = 0;
  #isClosed = false;
  /** What could not be stored when that was tried last. */
  readonly #unstored = new Set<string>();

  constructor(node: Machine<NodeInput, NodeOutput>, world: NodeWorld, now: () => Millis = monotonicNow) {
    this.#node = node;
    this.#world = world;
    this.#now = now;
  }

  handle(input: NodeInput): void {
    if (this.#isClosed) return;
    this.#node.handle(input, this.#now());
    this.#carryOut();
  }

  handleDeviceEvent(event: DeviceEvent): void {
    const { kind } = event;
    if (kind === 'peer-active' || kind === 'path-error' || kind === 'length-refused')
      this.handle({ kind, publicKey: event.publicKey });
    if (kind !== 'peer-active' && kind !== 'handshake-complete') return;
    // A peer that is active may have roamed. Of the others there is nothing new.
    this.#ask(event.publicKey);
  }

  /** Hands the node the device's view of all its peers, now and from now on at intervals. */
  async pollDevice(): Promise<void> {
    if (this.#isClosed) return;
    clearTimeout(this.#pollTimer);
    this.#mustAskForAll = true;
    await this.#askDevice();
    if (!this.#isClosed) this.#schedulePoll();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pollTimer);
  }

  #schedulePoll(): void {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = setTimeout(() => void this.pollDevice(), DEVICE_POLL_INTERVAL_MS);
  }

  #ask(publicKey: Uint8Array): void {
    this.#toAsk.set(Buffer.from(publicKey).toString('hex'), publicKey);
    void this.#askDevice();
  }

  /** Asks for what is to be asked for, one question at a time: what is wanted meanwhile is all in the next one. */
  async #askDevice(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      while (!this.#isClosed && (this.#mustAskForAll || this.#toAsk.size > 0)) await this.#askOnce();
    } catch (error) {
      if (!this.#isClosed) this.#world.onTrouble('the device cannot be asked for its state', error);
    } finally {
      this.#isAsking = false;
    }
  }

  async #askOnce(): Promise<void> {
    const all = this.#mustAskForAll;
    const some = new Map(this.#toAsk);
    this.#mustAskForAll = false;
    this.#toAsk.clear();
    const asked = this.#changeCount;
    const { peers } = await this.#world.device.publicState(all ? undefined : [...some.values()]);
    if (asked === this.#changeCount) return this.handle({ kind: 'peer-states', peers });
    // Seen before a change that the node has asked for since, it would contradict what the node knows.
    this.#mustAskForAll ||= all;
    for (const [text, publicKey] of some) this.#toAsk.set(text, publicKey);
  }

  #carryOut(): void {
    for (let output = this.#node.poll(); output !== undefined; output = this.#node.poll()) this.#carryOutOne(output);
    clearTimeout(this.#timer);
    const at = this.#node.nextTimeout();
    if (at === undefined) return;
    this.#timer = setTimeout(() => this.#handleTimeout(), Math.max(0, Math.ceil(at - this.#now())));
  }

  #handleTimeout(): void {
    this.#node.handleTimeout(this.#now());
    this.#carryOut();
  }

  #carryOutOne(output: NodeOutput): void {
    const { device } = this.#world;
    switch (output.kind) {
      case 'send':
        device.sendDatagram(output.datagram, output.to);
        break;
      case 'beacon':
        device.sendDatagram(output.datagram, beaconEndpoint(output.link));
        break;
      case 'tunnel-send':
        device.sendInTunnel(output.datagram, output.to);
        break;
      case 'configure':
        this.#change(device.configure(output.change), 'the device refused a change of its peers');
        break;
      case 'ask-device':
        this.#ask(output.publicKey);
        break;
      case 'relay-routes':
        this.#change(device.setRelayRoutes(output.changes), 'the device refused a change of its relay routes');
        break;
      case 'packet-limits':
        this.#change(device.setPacketLimits(output.changes), 'the device refused a limit for packets');
        break;
      case 'import-route':
        this.#world.routeImport(output.prefix, output.isWanted);
        break;
      case 'store-sequence':
        this.#store('the sequence number', () => this.#world.storeSequence(output.sequence));
        break;
      case 'store-seqno':
        this.#store('the seqno of our routes', () => this.#world.storeSeqno(output.seqno));
        break;
      case 'bootstrap-state':
        this.#world.onBootstrapState(output.endpoint, output.state);
        break;
      case 'store-memory':
        this.#store('what is known of other nodes', () => this.#world.storeMemory(output.memory));
        break;
      case 'event':
        this.#world.onEvent(output.event);
        break;
      case 'notice':
        this.#world.onNotice(output.notice);
        break;
    }
  }

  #change(change: Promise<void>, refusal: string): void {
    this.#changeCount += 1;
    change.catch((error: unknown) => {
      if (!this.#isClosed) this.#world.onTrouble(refusal, error);
    });
  }

  /** On disk before the next output is carried out, which may tell others of it. */
  #store(what: string, store: () => void): void {
    try {
      store();
      this.#unstored.delete(what);
    } catch (error) {
      // A disk stays full for hours.
      if (!this.#unstored.has(what)) this.#world.onTrouble(`${what} cannot be stored`, error);
      this.#unstored.add(what);
    }
  }
}
