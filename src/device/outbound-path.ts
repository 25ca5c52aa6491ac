import type { NativeBuffer, Tun } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import { readEcn, readVirtioHeader, Segmenter, VIRTIO_HEADER_BYTES, emptyVirtioHeader } from '../packet/index.ts';
import { sealTransportData, TRANSPORT_HEADER, type Device, type Keypair, type Peer } from '../wireguard/index.ts';
import { DatagramTrain, TRAIN_CAPACITY } from './datagram-train.ts';
import { PacketMemory } from './packet-memory.ts';
import type { PathCounters } from './path-counters.ts';
import type { PeerAddresses } from './peer-addresses.ts';
import { isOwnDatagram } from './routing-loop.ts';
import { READ_COST, TURN_BUDGET } from './turn.ts';
import type { Sockets } from './sockets.ts';
import type { UnreachableAnswers } from './unreachable-answers.ts';

const PACKET_BYTES = VIRTIO_HEADER_BYTES + 65_535;

/**
 * From the TUN device to the network: read a packet (up to 64 KiB with segmentation offload), find its peer, cut it,
 * seal the parts one behind the other, send them with one system call. Allocates nothing for a packet that has a
 * keypair.
 */
export class OutboundPath {
  readonly #tun: Tun;
  readonly #device: Device;
  readonly #train: DatagramTrain;
  readonly #unreachable: UnreachableAnswers;
  readonly #counters: PathCounters;
  readonly #packet: NativeBuffer;
  readonly #header = emptyVirtioHeader();
  readonly #segmenter: Segmenter;

  constructor(parts: {
    tun: Tun;
    device: Device;
    sockets: Sockets;
    addresses: PeerAddresses;
    unreachable: UnreachableAnswers;
    counters: PathCounters;
  }) {
    this.#tun = parts.tun;
    this.#device = parts.device;
    this.#unreachable = parts.unreachable;
    this.#counters = parts.counters;
    const memory = new PacketMemory(PACKET_BYTES + TRAIN_CAPACITY);
    this.#packet = memory.allocate(PACKET_BYTES);
    this.#segmenter = new Segmenter(memory.checksums);
    this.#train = new DatagramTrain(memory.allocate(TRAIN_CAPACITY), parts);
  }

  /** Forwards what the device holds, until `TURN_BUDGET` is spent. @returns how many bytes that were */
  drain(now: Millis): number {
    let bytes = 0;
    for (let spent = 0; spent < TURN_BUDGET; spent += READ_COST) {
      const length = this.#tun.read(this.#packet);
      if (length === 0) break;
      this.#forward(length, now);
      bytes += length;
      spent += length;
    }
    this.#train.flush(now);
    return bytes;
  }

  #forward(length: number, now: Millis): void {
    const { bytes } = this.#packet;
    const packetLength = length - VIRTIO_HEADER_BYTES;
    readVirtioHeader(bytes, 0, this.#header);
    const peer = this.#device.allowedIps.lookupDestination(bytes, VIRTIO_HEADER_BYTES);
    const keypair = peer?.sendingKeypair(now);
    if (peer === undefined || (keypair === undefined && peer.endpoint === undefined)) {
      this.#counters.noRoute++;
      this.#unreachable.answer(bytes, VIRTIO_HEADER_BYTES, packetLength, now);
      return;
    }
    if (keypair !== undefined && isOwnDatagram(bytes, VIRTIO_HEADER_BYTES, packetLength, keypair.remoteIndex)) {
      this.#counters.routingLoop++;
      return;
    }
    const segments = this.#segmenter.begin(bytes, VIRTIO_HEADER_BYTES, packetLength, this.#header);
    if (segments === 0) {
      this.#counters.malformedOutbound++;
      return;
    }
    if (keypair === undefined) this.#stage(peer, segments, now);
    else this.#seal(keypair, segments, now);
  }

  #seal(keypair: Keypair, segments: number, now: Millis): void {
    const train = this.#train;
    const ecn = readEcn(this.#packet.bytes, VIRTIO_HEADER_BYTES);
    for (let index = 0; index < segments; index++) {
      const offset = train.begin(keypair, ecn, now);
      const length = this.#segmenter.write(index, train.bytes, offset + TRANSPORT_HEADER);
      const sealed = sealTransportData(keypair, train.bytes, offset, length, this.#device.mtu);
      if (sealed < 0) {
        this.#counters.keypairExhausted++;
        return;
      }
      train.append(sealed, now);
    }
  }

  /** There is no session yet: the peer keeps copies and sees to it that a handshake runs. */
  #stage(peer: Peer, segments: number, now: Millis): void {
    const scratch = this.#train.scratch(now);
    for (let index = 0; index < segments; index++) {
      const length = this.#segmenter.write(index, scratch, 0);
      peer.stage(scratch.subarray(0, length), now);
    }
  }
}
