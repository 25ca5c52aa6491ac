import type { NativeBuffer, Tun } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import {
  emptyVirtioHeader,
  IPV6,
  isOnMeshPort,
  readEcn,
  readVirtioHeader,
  Segmenter,
  VIRTIO_HEADER_BYTES,
} from '../packet/index.ts';
import { sealTransportData, TRANSPORT_HEADER } from '../wireguard/index.ts';
import { DatagramTrain, TRAIN_CAPACITY, type TrainParts } from './datagram-train.ts';
import type { PacketMemory } from './packet-memory.ts';
import { LONGEST_PACKET, mayBeFragmented, relayedMtu } from './packet-too-big.ts';
import type { PathDevice, PathKeypair, PathPeer } from './path-device.ts';
import type { PathCounters } from './path-counters.ts';
import type { PeerReports } from './peer-reports.ts';
import type { Relay } from './relay.ts';
import { isOwnDatagram } from './routing-loop.ts';
import { READ_COST, TURN_BUDGET } from './turn.ts';
import type { Work } from './work.ts';
import type { UnreachableAnswers } from './unreachable-answers.ts';

/** IPv6 does not count its own header (RFC 8200 §3), so that a large packet of the host's may be longer than 65,535. */
const LARGEST_READ = VIRTIO_HEADER_BYTES + IPV6.end + 65_535;
/** With a byte more: what fills it was cut off by the kernel. */
const PACKET_BYTES = LARGEST_READ + 1;
/** Of the memory that a path is given. */
export const OUTBOUND_BYTES = PACKET_BYTES + 64 + TRAIN_CAPACITY + 64;

/**
 * From the TUN device to the network: read a packet (up to 64 KiB with segmentation offload), find its peer, cut it,
 * seal the parts one behind the other, send them with one system call. Allocates nothing for a packet that has a
 * keypair.
 */
export class OutboundPath {
  readonly #tun: Tun;
  readonly #device: PathDevice;
  readonly #train: DatagramTrain;
  readonly #unreachable: UnreachableAnswers;
  readonly #counters: PathCounters;
  readonly #packet: NativeBuffer;
  readonly #header = emptyVirtioHeader();
  readonly #segmenter: Segmenter;
  readonly #relay: Relay;
  readonly #activity: PeerReports;
  readonly #work: Work;

  /** `activity` is told of peers for whom the host has packets. */
  constructor(
    parts: TrainParts & {
      readonly tun: Tun;
      readonly device: PathDevice;
      readonly unreachable: UnreachableAnswers;
      readonly memory: PacketMemory;
      readonly relay: Relay;
      readonly activity: PeerReports;
      readonly work: Work;
    },
  ) {
    this.#tun = parts.tun;
    this.#device = parts.device;
    this.#unreachable = parts.unreachable;
    this.#counters = parts.counters;
    this.#relay = parts.relay;
    this.#activity = parts.activity;
    this.#work = parts.work;
    const { memory } = parts;
    this.#packet = memory.allocate(PACKET_BYTES);
    this.#segmenter = new Segmenter(memory.checksums);
    this.#train = new DatagramTrain(memory.allocate(TRAIN_CAPACITY), parts, parts.relay);
  }

  /** Forwards what the device holds, until `TURN_BUDGET` is spent. */
  drain(now: Millis): void {
    for (let spent = 0; spent < TURN_BUDGET; spent += READ_COST) {
      const length = this.#tun.read(this.#packet);
      if (length === 0) break;
      this.#forward(length, now);
      this.#work.reads++;
      this.#work.bytes += length;
      spent += length;
    }
    this.#train.flush(now);
  }

  #forward(length: number, now: Millis): void {
    const { bytes } = this.#packet;
    const packetLength = length - VIRTIO_HEADER_BYTES;
    readVirtioHeader(bytes, 0, this.#header);
    const peer = this.#device.allowedIps.lookupDestination(bytes, VIRTIO_HEADER_BYTES);
    if (this.#relay.isConfigured) {
      if (isOnMeshPort(bytes, VIRTIO_HEADER_BYTES, packetLength)) {
        this.#counters.hostOnMeshPort++;
        return;
      }
      if (peer !== undefined) this.#activity.note(peer, now);
    }
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
    if (segments === 0 || length > LARGEST_READ) {
      this.#counters.malformedOutbound++;
      return;
    }
    if (this.#isTooBig(peer, packetLength, now)) {
      this.#counters.packetTooBig++;
      return;
    }
    if (keypair === undefined) this.#stage(peer, segments, now);
    else this.#seal(keypair, segments, now);
  }

  /** Whether the packet is too long for a datagram, or for relays, in which case the host is told. */
  #isTooBig(peer: PathPeer, packetLength: number, now: Millis): boolean {
    const { bytes } = this.#packet;
    const { longest } = this.#segmenter;
    let mtu = LONGEST_PACKET;
    if (this.#relay.leadsTo(peer.endpoint)) {
      const relayed = Math.min(mtu, relayedMtu(this.#device.mtu));
      if (longest > relayed && !mayBeFragmented(bytes, VIRTIO_HEADER_BYTES)) mtu = relayed;
    }
    if (longest <= mtu) return false;
    this.#unreachable.answerTooBig(bytes.subarray(VIRTIO_HEADER_BYTES, VIRTIO_HEADER_BYTES + packetLength), mtu, now);
    return true;
  }

  #seal(keypair: PathKeypair, segments: number, now: Millis): void {
    const train = this.#train;
    keypair.claim(segments);
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
  #stage(peer: PathPeer, segments: number, now: Millis): void {
    const scratch = this.#train.scratch(now);
    for (let index = 0; index < segments; index++) {
      const length = this.#segmenter.write(index, scratch, 0);
      peer.stage(scratch.subarray(0, length), now);
    }
  }
}
