/**
 * Where the nanoseconds of one packet go: each step of the data path by itself, for full packets of an inner MTU of
 * 1,420 that come 44 at a time, as a TCP flow makes them; and the floor under it. What the steps share in reality, the
 * caches above all, they have to themselves here.
 */
import { execFileSync } from 'node:child_process';
import { chooseAead } from '../../src/crypto/aead.ts';
import { PacketMemory } from '../../src/device/packet-memory.ts';
import { endpointOf, parseAddress, parseEndpoint, parsePrefix, type IpAddress } from '../../src/inet/index.ts';
import { Epoll, inNamespace, namespacePath, NativeBuffer, openTun, openUdpSocket } from '../../src/linux/index.ts';
import { PieceList, SocketAddress } from '../../src/linux/index.ts';
import { Coalescer, emptyVirtioHeader, readVirtioHeader, Segmenter } from '../../src/packet/index.ts';
import { VIRTIO_HEADER_BYTES } from '../../src/packet/index.ts';
import { Device, openTransportData, sealTransportData, type Keypair } from '../../src/wireguard/index.ts';
import { millis } from '../../src/machine/index.ts';
import { drain, Initiators } from '../initiators.ts';
import type { BenchOptions, Figure, Measure } from '../measure.ts';
import { median } from '../statistics.ts';
import { withHosts } from '../tunnels.ts';

const SEGMENTS = 44;
/** What is in a UDP packet of 1,420 bytes. */
const PAYLOAD = 1392;
const SEGMENT_BYTES = 28 + PAYLOAD;
const SEALED = 1424;
const DATAGRAM = 16 + SEALED + 16;
const CALLS = 20_000;
const TRAINS = 1000;

type Step = readonly [name: string, once: () => void, packets?: number];

export const packetBudget: Measure = {
  name: 'packet-budget',
  description: 'nanoseconds of each step of the data path for one full packet, and the floor',
  async run(options) {
    const steps = await systemCalls(options);
    return [...floor(), ...timed(computation(), options), ...steps];
  },
};

function computation(): Step[] {
  const buffer = new Uint8Array(70_000);
  const memory = new PacketMemory(1500);
  const packet = memory.allocate(1500).bytes;
  const key = chooseAead().aead(new Uint8Array(32));
  const counter = { high: 0, low: 0 };
  const opened = new Uint8Array(70_000);
  const place = { bytes: opened, offset: 64 };
  const [sender, receiver, device] = session();
  const epoll = new Epoll();
  const now = millis(0);
  return [
    ['FFI and the cheapest system call', () => epoll.wait(0)],
    ['AEAD seal', () => key.seal(counter, buffer, 80, SEALED)],
    [
      'AEAD seal, open',
      () => {
        key.seal(counter, buffer, 80, SEALED);
        key.open(counter, buffer, 80, SEALED + 16, opened, 64);
      },
    ],
    ['transport seal', () => sealTransportData(sender, buffer, 64, SEGMENT_BYTES, SEGMENT_BYTES)],
    [
      'transport seal, open',
      () => {
        const length = sealTransportData(sender, buffer, 64, SEGMENT_BYTES, SEGMENT_BYTES);
        if (openTransportData(receiver, buffer, 64, length, place, now) < 0) throw new Error('a packet did not open');
      },
    ],
    ['checksum of 1,400 bytes', () => memory.checksums.sum(packet, 20, 1400)],
    ['lookup among allowed IPs', () => device.allowedIps.lookupSource(PACKET, 0)],
    ...cuttingAndCoalescing(),
  ];
}

const PACKET = Uint8Array.from([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);

/** A large TCP packet as the kernel hands it over, cut and put together again. */
function cuttingAndCoalescing(): Step[] {
  const mss = SEGMENT_BYTES - 40;
  const largeBytes = VIRTIO_HEADER_BYTES + 40 + SEGMENTS * mss;
  const memory = new PacketMemory(largeBytes + 64 + SEGMENTS * DATAGRAM);
  const large = memory.allocate(largeBytes).bytes;
  const view = new DataView(large.buffer, large.byteOffset + VIRTIO_HEADER_BYTES);
  large.set(PACKET, VIRTIO_HEADER_BYTES);
  view.setUint16(2, 40 + SEGMENTS * mss);
  view.setUint8(9, 6);
  view.setUint8(32, 0x50);
  view.setUint8(33, 0x10);
  const header = { ...emptyVirtioHeader(), flags: 1, gsoType: 1, gsoSize: mss, checksumStart: 20, checksumOffset: 16 };
  const segmenter = new Segmenter(memory.checksums);
  const coalescer = new Coalescer(memory.checksums);
  const train = memory.allocate(SEGMENTS * DATAGRAM).bytes;
  const cut = () => {
    if (segmenter.begin(large, VIRTIO_HEADER_BYTES, large.length - VIRTIO_HEADER_BYTES, header) !== SEGMENTS)
      throw new Error('the packet was not cut as expected');
    for (let i = 0; i < SEGMENTS; i++) segmenter.write(i, train, i * DATAGRAM);
  };
  const finished = emptyVirtioHeader();
  const coalesce = () => {
    for (let i = 0; i < SEGMENTS; i++) coalescer.add(train, i * DATAGRAM, SEGMENT_BYTES);
    if (coalescer.finish(train, finished) !== SEGMENTS) throw new Error('segments were not put together');
  };
  // Putting together patches the first packet: it takes a fresh one each time.
  return [
    ['cut: copy, headers, checksums', cut, SEGMENTS],
    ['cut and coalesce', () => void (cut(), coalesce()), SEGMENTS],
  ];
}

function session(): [sender: Keypair, receiver: Keypair, device: Device] {
  const privateKey = new Uint8Array(32).fill(7);
  const endpoint = parseEndpoint('192.0.2.1:51821')!;
  const initiators = new Initiators(1, (primitives) => ({ publicKey: primitives.publicKey(privateKey), endpoint }));
  const [{ publicKey, from, device }] = initiators.all;
  const responder = new Device({ primitives: initiators.primitives, unixTime: () => millis(Date.now()) });
  const peers = [{ publicKey, allowedIps: [{ prefix: parsePrefix('10.0.0.1')! }] }];
  responder.configure({ privateKey, peers }, initiators.now);
  const [initiation] = initiators.initiate();
  responder.handleDatagram(initiation, from, initiators.now);
  responder.handleDatagram(initiators.answer(0, drain(responder)[0], endpoint)!, from, initiators.now);
  const sender = device.findPeer(responder.state().publicKey!)!.sendingKeypair(initiators.now)!;
  const receiver = responder.findPeer(publicKey)!.sendingKeypair(initiators.now)!;
  return [sender, receiver, responder];
}

function timed(steps: readonly Step[], { rounds }: BenchOptions): Figure[] {
  return steps.map(([name, once, packets = 1]) => {
    const calls = Math.round(CALLS / packets);
    const ours = Array.from({ length: rounds + 1 }, () => {
      const start = process.hrtime.bigint();
      for (let i = 0; i < calls; i++) once();
      return Number(process.hrtime.bigint() - start) / (calls * packets);
    });
    return { name: `budget: ${name}`, unit: 'ns', ours: ours.slice(1) };
  });
}

/** Trains of datagrams through loopback, large packets through a TUN device. */
async function systemCalls({ rounds }: BenchOptions): Promise<Figure[]> {
  return withHosts({}, async ([host]) => {
    const namespace = namespacePath(host.name);
    const [tun, sender, receiver] = inNamespace(
      namespace,
      () => [openTun('budget%d'), openUdpSocket(4, 0), openUdpSocket(4, 7000)] as const,
    );
    const epoll = new Epoll();
    try {
      await host.ip('address', 'add', '10.99.0.1/24', 'dev', tun.name);
      await host.ip('link', 'set', tun.name, 'mtu', String(SEGMENT_BYTES), 'up');
      epoll.add(receiver.fd, 0);
      const buffer = new NativeBuffer(70_000);
      const pieces = new PieceList(1);
      const loopback = new SocketAddress();
      loopback.fromEndpoint(endpointOf(parseAddress('127.0.0.1') as IpAddress, 7000));
      const intoTun = new SocketAddress();
      intoTun.fromEndpoint(endpointOf(parseAddress('10.99.0.2') as IpAddress, 7000));
      const receiveAll = () => {
        for (let got = 0; got === 0;) {
          if (epoll.wait(1000) === 0) throw new Error('a train did not arrive');
          for (let length = receiver.receive(buffer); length > 0; length = receiver.receive(buffer)) got += length;
        }
      };
      const sendTrain = () => void sender.send(buffer, 0, SEGMENTS * DATAGRAM, DATAGRAM, loopback);
      const sendLarge = () => void sender.send(buffer, 0, SEGMENTS * PAYLOAD, PAYLOAD, intoTun);
      const readTun = () => {
        let length = tun.read(buffer);
        // Neighbour discovery speaks up, too.
        while (length > 0 && length < SEGMENT_BYTES) length = tun.read(buffer);
        if (length === 0) throw new Error('the TUN device had nothing');
        pieces.set(0, buffer.address, length);
      };
      const header = emptyVirtioHeader();
      const turnRound = () => {
        readVirtioHeader(buffer.bytes, 0, header);
        // From 10.99.0.2 to 10.99.0.1: the checksums stay right.
        buffer.bytes.copyWithin(VIRTIO_HEADER_BYTES + 12, VIRTIO_HEADER_BYTES + 16, VIRTIO_HEADER_BYTES + 20);
        buffer.bytes[VIRTIO_HEADER_BYTES + 19] = 1;
      };
      const writeTun = () => {
        if (!tun.write(pieces, 1)) throw new Error('the TUN device refused a packet');
      };
      return chain(rounds, {
        'send a train (UDP_SEGMENT)': sendTrain,
        'receive a train (UDP_GRO)': receiveAll,
        '': sendLarge,
        'read from TUN': readTun,
        ' ': turnRound,
        'write to TUN': writeTun,
        '  ': receiveAll,
      });
    } finally {
      for (const open of [tun, sender, receiver, epoll]) open.close();
    }
  });
}

/** Runs the calls one after the other, many times; those with a name are figures, for one packet. */
function chain(rounds: number, calls: Readonly<Record<string, () => void>>): Figure[] {
  const entries = Object.entries(calls);
  const times = entries.map(([, call]) => ({ call, nanoseconds: [] as number[], medians: [] as number[] }));
  for (let round = 0; round <= rounds; round++) {
    for (let i = 0; i < TRAINS; i++) {
      for (const entry of times) {
        const start = process.hrtime.bigint();
        entry.call();
        entry.nanoseconds[i] = Number(process.hrtime.bigint() - start);
      }
    }
    for (const { nanoseconds, medians } of times) medians[round] = median(nanoseconds) / SEGMENTS;
  }
  return entries.flatMap(([name], i) =>
    name.trim() === '' ? [] : [{ name: `budget: ${name}`, unit: 'ns', ours: times[i].medians.slice(1) }],
  );
}

/** OpenSSL's own loop in C. */
function floor(): Figure[] {
  const argv = ['speed', '-mr', '-seconds', '1', '-bytes', String(SEALED), '-aead', '-evp', 'chacha20-poly1305'];
  const output = execFileSync('openssl', argv, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const bytesPerSecond = Number(/^\+F:.*:([\d.]+)$/m.exec(output)?.[1]);
  return [{ name: 'budget: floor, openssl speed', unit: 'ns', ours: [(SEALED / bytesPerSecond) * 1e9] }];
}
