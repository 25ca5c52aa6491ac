import type { Aead } from '../crypto/primitives.ts';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { addressFromBytes, endpointOf, formatAddress, formatEndpoint, prefixOf, type Endpoint } from '../inet/index.ts';
import { NativeBuffer, SocketAddress, type Tun, type UdpSocket } from '../linux/index.ts';
import { millis } from '../machine/index.ts';
import { CE, RELAY_PORT, VIRTIO_HEADER_BYTES } from '../packet/index.ts';
import { Device, type Peer, type PeerChange } from '../wireguard/index.ts';
import { DATA_PATH_BYTES, DataPath } from './data-path.ts';
import { PacketMemory } from './packet-memory.ts';
import { pathCounters, type PathCounters } from './path-counters.ts';
import { PeerReports } from './peer-reports.ts';
import type { DatagramSender } from './sockets.ts';
import { noWork } from './work.ts';

const MTU = 1420;
const ECONNREFUSED = 111;

interface Train {
  readonly bytes: Uint8Array;
  readonly segmentSize: number;
  readonly from: TestNode;
  readonly to: TestNode;
  readonly trafficClass: number;
}

/**
 * For tests: nodes with the whole data path of the device thread, in one process and in virtual time. In place of a TUN
 * device and sockets there are lists.
 */
export class TestNetwork {
  now = millis(1_000_000);
  /** Of ECN-capable datagrams that this node sends, the network says that it was congested (RFC 3168). */
  congestedBehind: TestNode | undefined;
  readonly nodes: TestNode[] = [];
  readonly #underWay: Train[] = [];

  /** Nodes 1 to `count`, all of them peers of each other, without endpoints. */
  constructor(count: number) {
    for (let i = 1; i <= count; i++) this.nodes.push(new TestNode(this, i));
    for (const node of this.nodes) {
      const others = this.nodes.filter((other) => other !== node);
      const peers = others.map(({ publicKey, address }) => ({
        publicKey,
        allowedIps: [{ prefix: prefixOf(address, 128) }],
      }));
      node.configure({ privateKey: node.privateKey, peers });
      node.path.relay.configure({ address: node.address, mayForward: true });
    }
  }

  /** Makes a line of them in which only neighbours have direct ways, and all others routes over them. */
  static line(count: number): TestNetwork {
    const network = new TestNetwork(count);
    for (const [i, node] of network.nodes.entries()) {
      for (const [j, other] of network.nodes.entries()) {
        if (Math.abs(i - j) === 1) node.speaksDirectly(other);
        else if (i !== j) node.speaksOver(other, network.nodes[i < j ? i + 1 : i - 1]);
      }
    }
    return network;
  }

  /** Lets `node` send what it wants to, and everything happen that comes of it. */
  settle(): void {
    for (const node of this.nodes) node.drain();
    for (let rounds = 0; this.#underWay.length > 0; rounds++) {
      if (rounds > 10_000) throw new Error('the network does not come to rest');
      const train = this.#underWay.shift()!;
      train.to.receive(train);
      for (const node of this.nodes) node.drain();
    }
  }

  /** Lets timers run for that long. */
  run(length: number): void {
    const end = this.now + length;
    for (;;) {
      const due = Math.min(...this.nodes.map(({ device }) => device.nextTimeout() ?? Infinity));
      if (due > end) break;
      this.now = millis(Math.max(this.now, due));
      for (const { device } of this.nodes) device.handleTimeout(this.now);
      this.settle();
    }
    this.now = millis(end);
  }

  /** @returns 0, or the number of an error */
  take(train: Omit<Train, 'to'>, to: SocketAddress): number {
    const endpoint = formatEndpoint(to.toEndpoint());
    const receiver = this.nodes.find((node) => formatEndpoint(node.endpoint) === endpoint);
    if (receiver === undefined || !train.from.reaches(receiver)) return ECONNREFUSED;
    const isMarked = train.from === this.congestedBehind && (train.trafficClass & CE) !== 0;
    this.#underWay.push({ ...train, trafficClass: isMarked ? CE : train.trafficClass, to: receiver });
    return 0;
  }
}

/** Node N: 192.0.2.N:51820, and fd77::N in the mesh. */
export class TestNode {
  readonly name: string;
  readonly device: Device;
  readonly path: DataPath;
  readonly counters: PathCounters = pathCounters();
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address;
  readonly endpoint: Endpoint;
  /** What the host got. */
  readonly delivered: Uint8Array[] = [];
  /** Tunnel messages, as text behind the address that they came from. */
  readonly heard: string[] = [];
  /** Every plaintext that was opened with a key of a session, whatever became of it. */
  readonly opened: Uint8Array[] = [];
  /** Bytes of each datagram that was sent. */
  readonly sentLengths: number[] = [];
  readonly events: string[] = [];
  readonly #network: TestNetwork;
  readonly #cutFrom = new Set<TestNode>();
  readonly #fromHost: Uint8Array[] = [];
  #incoming: Train | undefined;

  constructor(network: TestNetwork, index: number) {
    this.#network = network;
    this.name = String(index);
    this.address = addressFromBytes(Uint8Array.of(0xfd, 0x77, ...new Array<number>(13).fill(0), index));
    this.endpoint = endpointOf(addressFromBytes(Uint8Array.of(192, 0, 2, index)), 51_820);
    const primitives = nodePrimitives(this.#listeningAead(chooseAead().aead));
    this.privateKey = primitives.randomBytes(32);
    this.publicKey = primitives.publicKey(this.privateKey);
    this.device = new Device({ primitives, unixTime: () => millis(1_700_000_000_000 + network.now) });
    this.device.mtu = MTU;
    const nameOf = ({ publicKey }: Pick<Peer, 'publicKey'>): string =>
      network.nodes.find((node) => Buffer.compare(node.publicKey, publicKey) === 0)?.name ?? '?';
    const sockets: DatagramSender = {
      trafficClass: 0,
      dontFragment: false,
      send: (buffer, length, segmentSize, to) =>
        this.#send(buffer.bytes.slice(0, length), segmentSize, to, sockets.trafficClass),
      sendControl: (...what) => sockets.send(...what),
    };
    this.path = new DataPath({
      tun: this.#tun(),
      device: this.device,
      sockets,
      writer: {
        add: (buffer, offset, length) => void this.delivered.push(buffer.bytes.slice(offset, offset + length)),
        flush: () => undefined,
      },
      memory: new PacketMemory(DATA_PATH_BYTES),
      counters: this.counters,
      work: noWork(),
      toControl: () => undefined,
      onTunnelMessage: (message, from) => this.heard.push(`${formatAddress(from)}: ${Buffer.from(message).toString()}`),
      activity: new PeerReports((peer) => this.events.push(`active ${nameOf(peer)}`)),
      pathErrors: new PeerReports((peer, errno) => this.events.push(`error ${errno} ${nameOf(peer)}`)),
    });
  }

  configure(change: Parameters<Device['configure']>[0]): void {
    this.device.configure(change, this.#network.now);
    this.path.relay.findPeers();
  }

  setPeer(other: TestNode, change: Omit<PeerChange, 'publicKey'>): void {
    this.configure({ peers: [{ ...change, publicKey: other.publicKey }] });
  }

  /** Makes `other` a neighbour: it is spoken to directly, and relay packets for it go to itself. */
  speaksDirectly(other: TestNode): void {
    this.path.relay.setRoutes([{ destination: other.address, via: other.publicKey }]);
    this.setPeer(other, { endpoint: other.endpoint });
  }

  speaksOver(other: TestNode, via: TestNode): void {
    this.path.relay.setRoutes([{ destination: other.address, via: via.publicKey }]);
    this.setPeer(other, { endpoint: endpointOf(other.address, RELAY_PORT) });
  }

  /** From now on nothing that it sends arrives at `other`. */
  cutFrom(other: TestNode): void {
    this.#cutFrom.add(other);
  }

  reaches(other: TestNode): boolean {
    return !this.#cutFrom.has(other);
  }

  /** Has the host send an IP packet, with a virtio header that asks for nothing. */
  sendPacket(packet: Uint8Array): void {
    const bytes = new Uint8Array(VIRTIO_HEADER_BYTES + packet.length);
    bytes.set(packet, VIRTIO_HEADER_BYTES);
    this.sendLarge(bytes);
  }

  /** Has the host send what a TUN device reads, with its virtio header. */
  sendLarge(bytes: Uint8Array): void {
    this.#fromHost.push(bytes);
    this.#network.settle();
  }

  /** Sends `text` as a tunnel message. */
  say(text: string, to: TestNode): void {
    this.path.tunnelMessages.send(Buffer.from(text), to.address, this.#network.now);
    this.#network.settle();
  }

  /** Sends `packet` to `other` inside their session, past all checks of what comes from a host. */
  sendInSession(other: TestNode, packet: Uint8Array): void {
    this.device.findPeer(other.publicKey)!.send(packet, this.#network.now);
    this.#network.settle();
  }

  /** Empties the lists of what happened. */
  forget(): void {
    for (const list of [this.delivered, this.heard, this.opened, this.sentLengths, this.events]) list.length = 0;
  }

  endpointOf(other: TestNode): string | undefined {
    const endpoint = this.device.findPeer(other.publicKey)?.endpoint;
    return endpoint === undefined ? undefined : formatEndpoint(endpoint);
  }

  /** Packets of the host, and what the machine asks for, as the event loop would. */
  drain(): void {
    const { now } = this.#network;
    this.path.outbound.drain(now);
    for (let output = this.device.poll(); output !== undefined; output = this.device.poll()) {
      if (output.kind !== 'send') continue;
      const to = new SocketAddress();
      to.fromEndpoint(output.to);
      if (this.path.relay.leadsTo(output.to)) this.path.relay.send(output.datagram, output.to, now);
      else this.#send(output.datagram, output.datagram.length, to);
    }
    this.path.relay.flush(now);
  }

  receive(train: Train): void {
    this.#incoming = train;
    this.path.inbound.drain(this.#socket(), this.#network.now);
  }

  #send(bytes: Uint8Array, segmentSize: number, to: SocketAddress, trafficClass = 0): number {
    for (let at = 0; at < bytes.length; at += segmentSize)
      this.sentLengths.push(Math.min(segmentSize, bytes.length - at));
    return this.#network.take({ bytes, segmentSize, from: this, trafficClass }, to);
  }

  #tun(): Tun {
    const fromHost = this.#fromHost;
    return {
      fd: 0,
      name: this.name,
      offloads: { checksum: true, tso: true, uso: true },
      read(buffer) {
        const bytes = fromHost.shift();
        if (bytes === undefined) return 0;
        buffer.bytes.set(bytes);
        return bytes.length;
      },
      write: () => false,
      close: () => undefined,
    };
  }

  #socket(): UdpSocket {
    const train = this.#incoming!;
    const source = new SocketAddress();
    source.fromEndpoint(train.from.endpoint);
    let isTaken = false;
    return {
      segmentSize: train.segmentSize,
      source,
      trafficClass: train.trafficClass,
      receive: (buffer: NativeBuffer, offset = 0) => {
        if (isTaken) return 0;
        isTaken = true;
        buffer.bytes.set(train.bytes, offset);
        return train.bytes.length;
      },
    } as unknown as UdpSocket;
  }

  #listeningAead(aead: Aead): Aead {
    return (key) => {
      const aeadKey = aead(key);
      return {
        seal: aeadKey.seal.bind(aeadKey),
        destroy: aeadKey.destroy.bind(aeadKey),
        // eslint-disable-next-line max-params -- the parameters of `AeadKey.open`
        open: (counter, buffer, offset, length, target, targetOffset) => {
          const opened = aeadKey.open(counter, buffer, offset, length, target, targetOffset);
          if (opened > 0) this.opened.push(target.slice(targetOffset, targetOffset + opened));
          return opened;
        },
      };
    };
  }
}
