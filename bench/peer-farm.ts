/**
 * Many peers of one hub, as a program in a namespace of their own: `node peer-farm.js COUNT NAME HUB-KEY HUB-ENDPOINT
 * HUB-ADDRESS`. Each is a whole device with its own TUN interface, sockets and data path; one thread runs them all, so
 * that it is compiled once and not once a peer. What is sent from a peer's address goes through its interface.
 * Prints keys and addresses as JSON when all are up, and runs until it is ended.
 */
import { chooseAead } from '../src/crypto/aead.ts';
import { nodePrimitives } from '../src/crypto/node.ts';
import { DATA_PATH_BYTES, DataPath } from '../src/device/data-path.ts';
import { PacketMemory } from '../src/device/packet-memory.ts';
import { pathCounters } from '../src/device/path-counters.ts';
import { PeerReports } from '../src/device/peer-reports.ts';
import { Sockets } from '../src/device/sockets.ts';
import { TunWriter } from '../src/device/tun-writer.ts';
import { Urgency } from '../src/device/urgency.ts';
import { noWork } from '../src/device/work.ts';
import { parseEndpoint, parsePrefix } from '../src/inet/index.ts';
import { Epoll, NativeBuffer, openTun, runIpBatch, setRealTime, SocketAddress, type Tun } from '../src/linux/index.ts';
import { millis, type Millis } from '../src/machine/index.ts';
import { Device } from '../src/wireguard/index.ts';
import type { FarmPeer } from './measures/peers.ts';

const MTU = 1420;
const FIRST_TABLE = 1000;
const LONGEST_WAIT = 1000;

const [count, name, hubKey, hubEndpoint, hubAddress] = process.argv.slice(2);
const primitives = nodePrimitives(chooseAead().aead);
const hub = {
  publicKey: new Uint8Array(Buffer.from(hubKey, 'base64')),
  endpoint: parseEndpoint(hubEndpoint)!,
  allowedIps: [{ prefix: parsePrefix(hubAddress)! }],
};
/** Of all devices: they share a thread. */
const work = noWork();
const clock = (): Millis => millis(performance.now());
const datagram = new NativeBuffer(65_536);
const to = new SocketAddress();

/**
 * The same buffers for every device: one thread works for one of them at a time. With buffers of their own, 64 devices
 * would measure the processor's caches, which as many machines do not share.
 */
class FarmMemory extends PacketMemory {
  readonly #buffers: NativeBuffer[] = [];
  #next = 0;

  /** Begins anew with the first buffer. Devices ask for the same ones in the same order. */
  rewind(): this {
    this.#next = 0;
    return this;
  }

  override allocate(length: number): NativeBuffer {
    return (this.#buffers[this.#next++] ??= super.allocate(length));
  }
}

const farmMemory = new FarmMemory(DATA_PATH_BYTES);

class FarmDevice {
  readonly tun: Tun;
  readonly sockets = new Sockets(clock);
  readonly #device = new Device({ primitives, unixTime: () => millis(Date.now()) });
  readonly #path: DataPath;

  constructor(interfaceName: string, privateKey: Uint8Array) {
    this.tun = openTun(interfaceName);
    this.sockets.bind(0);
    const counters = pathCounters();
    const memory = farmMemory.rewind();
    const nobody = new PeerReports(() => undefined);
    this.#path = new DataPath({
      tun: this.tun,
      device: this.#device,
      sockets: this.sockets,
      writer: new TunWriter(this.tun, counters, memory.checksums),
      memory,
      counters,
      work,
      toControl: () => undefined,
      onTunnelMessage: () => undefined,
      activity: nobody,
      pathErrors: nobody,
    });
    this.#device.configure({ privateKey, peers: [hub] }, clock());
  }

  handlePackets(now: Millis): void {
    this.#path.outbound.drain(now);
    this.#drainOutput();
  }

  handleDatagrams(now: Millis): void {
    this.#path.inbound.drain(this.sockets.open[0], now);
    this.#drainOutput();
  }

  handleTimeout(now: Millis): void {
    this.#device.handleTimeout(now);
    this.#drainOutput();
  }

  #drainOutput(): void {
    for (let output = this.#device.poll(); output !== undefined; output = this.#device.poll()) {
      if (output.kind !== 'send') continue;
      datagram.bytes.set(output.datagram);
      to.fromEndpoint(output.to);
      this.sockets.send(datagram, output.datagram.length, output.datagram.length, to);
    }
  }
}

async function startDevice(index: number): Promise<[FarmDevice, FarmPeer]> {
  const privateKey = primitives.randomBytes(32);
  const device = new FarmDevice(`${name}p${index}`, privateKey);
  const address = `10.78.${index >> 8}.${index & 255}`;
  const table = FIRST_TABLE + index;
  await runIpBatch([
    `link set ${device.tun.name} mtu ${MTU} up`,
    `address add ${address}/32 dev ${device.tun.name}`,
    `route add ${hubAddress} dev ${device.tun.name} table ${table}`,
    `rule add from ${address} lookup ${table}`,
  ]);
  return [device, { publicKey: Buffer.from(primitives.publicKey(privateKey)).toString('base64'), address }];
}

/** Runs for ever. The TUN device and the IPv4 socket of the device at `i` have the keys 2 i and 2 i + 1. */
function run(devices: readonly FarmDevice[]): never {
  const epoll = new Epoll();
  devices.forEach(({ tun, sockets }, i) => {
    epoll.add(tun.fd, 2 * i);
    epoll.add(sockets.open[0].fd, 2 * i + 1);
  });
  let timersAt = 0;
  const urgency = new Urgency(setRealTime, clock());
  for (;;) {
    const from = clock();
    const ready = epoll.wait(LONGEST_WAIT);
    const now = clock();
    urgency.handleWait(from, now, 0, work);
    for (let i = 0; i < ready; i++) {
      const key = epoll.key(i);
      const device = devices[key >> 1];
      if (key % 2 === 0) device.handlePackets(now);
      else device.handleDatagrams(now);
    }
    if (now < timersAt) continue;
    timersAt = now + LONGEST_WAIT;
    for (const device of devices) device.handleTimeout(now);
  }
}

const started: [FarmDevice, FarmPeer][] = [];
for (let index = 1; index <= Number(count); index++) started.push(await startDevice(index));
process.stdout.write(`${JSON.stringify(started.map(([, peer]) => peer))}\n`);
run(started.map(([device]) => device));
