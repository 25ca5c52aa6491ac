import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { packetWithPartialChecksum } from '../../test/packets.ts';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { parseAddress, parseEndpoint, parsePrefix } from '../inet/index.ts';
import { Epoll, NativeBuffer, openUdpSocket, SocketAddress, tunOf, type Tun } from '../linux/index.ts';
import { millis } from '../machine/index.ts';
import {
  GSO_TCPV4,
  GSO_UDP_L4,
  NEEDS_CHECKSUM,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  VIRTIO_HEADER_BYTES,
  writeVirtioHeader,
} from '../packet/index.ts';
import { Device } from '../wireguard/index.ts';
import { DATA_PATH_BYTES, DataPath } from './data-path.ts';
import { PacketMemory } from './packet-memory.ts';
import { pathCounters } from './path-counters.ts';
import { PeerReports } from './peer-reports.ts';
import { SocketSet } from './sockets.ts';
import { TunWriter } from './tun-writer.ts';
import { noWork } from './work.ts';

const PACKETS = 1_000_000;
/** Until V8 has compiled what is hot, and compiled it again. */
const WARM_UP = 600_000;
/** Between two looks at the heap. A collection in between hides what was allocated there, and no more. */
const SLICE = 5_000;
/** In bytes a packet; a number on the heap takes 16. The addresses that system calls take are 48 to 80 bytes a batch. */
const LIMIT = 4;

/** Time that passes as on a host: by fractions, which V8 keeps on its heap where it must. */
let now = millis(1_000_000.25);

/** Node 1 or 2 with the data path of a device thread, over real sockets. */
class Node {
  /** What the host wants to send: this large packet, so many times. */
  outgoing: Uint8Array = new Uint8Array(0);
  outgoingLeft = 0;
  /** Packets that came out of the tunnel. */
  opened = 0;
  readonly address: string;
  readonly #primitives = nodePrimitives(chooseAead().aead);
  readonly #privateKey = this.#primitives.randomBytes(32);
  readonly #device: Device;
  readonly #path: DataPath;
  readonly #socket = openUdpSocket(4, 0);
  readonly #epoll = new Epoll();
  readonly #nowhere = openSync('/dev/null', 'w');
  readonly #datagram = new NativeBuffer(2048);
  readonly #to = new SocketAddress();

  constructor(index: number) {
    this.address = `10.0.0.${index}/32`;
    // Receiver indices of the upper half are those that V8 keeps on its heap.
    const randomBytes = (length: number): Uint8Array => this.#primitives.randomBytes(length).fill(0xff, 0, 1);
    this.#device = new Device({ primitives: { ...this.#primitives, randomBytes }, unixTime: () => now });
    this.#epoll.add(this.#socket.fd, 0);
    const sockets = new SocketSet(() => now);
    sockets.open = [this.#socket];
    const memory = new PacketMemory(DATA_PATH_BYTES);
    const counters = pathCounters();
    const tun = this.#tun();
    const writer = new TunWriter(tun, counters, memory.checksums);
    const ignored = new PeerReports(() => undefined);
    this.#path = new DataPath({
      tun,
      device: this.#device,
      sockets,
      writer: {
        add: (buffer, offset, length) => {
          this.opened++;
          writer.add(buffer, offset, length);
        },
        flush: (buffer) => writer.flush(buffer),
      },
      memory,
      counters,
      work: noWork(),
      toControl: () => undefined,
      onTunnelMessage: () => undefined,
      activity: ignored,
      pathErrors: ignored,
    });
  }

  /** Makes it a node of a mesh, where more is asked of each packet. */
  joinMesh(): void {
    this.#path.relay.configure({ address: parseAddress('fd77::1')!, mayForward: true });
  }

  meet(other: Node): void {
    const publicKey = this.#primitives.publicKey(other.#privateKey);
    const endpoint = parseEndpoint(`127.0.0.1:${other.#socket.port}`)!;
    const allowedIps = [{ prefix: parsePrefix(other.address)! }];
    this.#device.configure({ privateKey: this.#privateKey, peers: [{ publicKey, endpoint, allowedIps }] }, now);
  }

  /** Sends what the host and the protocol want to. */
  send(): void {
    this.#path.outbound.drain(now);
    for (let output = this.#device.poll(); output !== undefined; output = this.#device.poll()) {
      if (output.kind !== 'send') continue;
      this.#datagram.bytes.set(output.datagram);
      this.#to.fromEndpoint(output.to);
      const { length } = output.datagram;
      assert.equal(this.#socket.send(this.#datagram, 0, length, length, this.#to), 0);
    }
  }

  /** Takes in what has arrived, if anything has within that time. */
  receive(timeout: number): void {
    if (this.#epoll.wait(timeout) > 0) this.#path.inbound.drain(this.#socket, now);
  }

  close(): void {
    this.#epoll.close();
    this.#socket.close();
    closeSync(this.#nowhere);
  }

  /** Reads what `outgoing` says, and writes to `/dev/null`. */
  #tun(): Tun {
    const offloads = { checksum: true, tso: true, uso: true };
    const device = tunOf({ fd: this.#nowhere, name: 'null', offloads });
    return {
      fd: device.fd,
      name: device.name,
      offloads,
      read: (buffer) => {
        if (this.outgoingLeft === 0) return 0;
        this.outgoingLeft--;
        buffer.bytes.set(this.outgoing);
        return this.outgoing.length;
      },
      write: (pieces, count) => device.write(pieces, count),
      close: () => undefined,
    };
  }
}

interface Traffic {
  readonly protocol: typeof PROTOCOL_TCP | typeof PROTOCOL_UDP;
  readonly payload: number;
  readonly segments: number;
}

/** What a TUN device with offloads gives for a host that sends much: `segments` packets from 10.0.0.1 in one. */
function largePacket({ protocol, payload, segments }: Traffic): Uint8Array {
  const { packet, headers, transport, checksumAt } = packetWithPartialChecksum({
    protocol,
    payload: new Uint8Array(payload * segments),
    // The upper half again; it is crossed, too.
    sequence: 0x7fff_ffff,
  });
  const bytes = new Uint8Array(VIRTIO_HEADER_BYTES + packet.length);
  bytes.set(packet, VIRTIO_HEADER_BYTES);
  writeVirtioHeader(bytes, 0, {
    flags: NEEDS_CHECKSUM,
    gsoType: protocol === PROTOCOL_TCP ? GSO_TCPV4 : GSO_UDP_L4,
    headerLength: headers,
    gsoSize: payload,
    checksumStart: transport,
    checksumOffset: checksumAt - transport,
  });
  return bytes;
}

/** Has a host send at least `packets` packets through the tunnel. @returns how many it got there */
function carry(from: Node, to: Node, { segments }: Traffic, packets: number): number {
  const before = to.opened;
  for (let sent = 0; sent < packets; sent += segments) {
    now = millis(now + 0.015);
    from.outgoingLeft = 1;
    from.send();
    to.receive(1000);
  }
  // Else nothing was measured.
  assert.ok(to.opened - before >= packets);
  return to.opened - before;
}

/** Has a first packet bring about a session. */
function shakeHands(from: Node, to: Node): void {
  from.outgoingLeft = 1;
  from.send();
  for (const node of [to, from, to]) {
    node.receive(100);
    node.send();
  }
}

/** Bytes that V8 allocates a packet. */
function allocatedPerPacket(from: Node, to: Node, traffic: Traffic): number {
  let bytes = 0;
  let packets = 0;
  while (packets < PACKETS) {
    const before = getHeapStatistics().used_heap_size;
    packets += carry(from, to, traffic, SLICE);
    bytes += Math.max(0, getHeapStatistics().used_heap_size - before);
  }
  return bytes / packets;
}

// The other implementations allocate: OpenSSL's public interface takes more addresses, Node's makes objects.
const skip = chooseAead().name !== 'openssl-direct';

for (const isMesh of [false, true]) {
  describe(`the data path${isMesh ? ' of a node of a mesh' : ''}`, { skip }, () => {
    const left = new Node(1);
    const right = new Node(2);
    if (isMesh) for (const node of [left, right]) node.joinMesh();
    left.meet(right);
    right.meet(left);
    after(() => [left, right].forEach((node) => node.close()));

    for (const [name, traffic] of [
      ['TCP', { protocol: PROTOCOL_TCP, payload: 1380, segments: 47 }],
      ['UDP', { protocol: PROTOCOL_UDP, payload: 64, segments: 64 }],
    ] as const) {
      it(`leaves next to nothing to the garbage collector of a million packets of ${name}`, () => {
        left.outgoing = largePacket(traffic);
        shakeHands(left, right);
        carry(left, right, traffic, WARM_UP);
        const bytes = allocatedPerPacket(left, right, traffic);
        assert.ok(bytes < LIMIT, `${bytes.toFixed(2)} bytes a packet`);
      });
    }
  });
}
