import { randomInt } from 'node:crypto';
import type { NativeBuffer, Tun } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import {
  emptyVirtioHeader,
  Fragmenter,
  IPV6,
  isOnMeshPort,
  readEcn,
  readVirtioHeader,
  Segmenter,
  VIRTIO_HEADER_BYTES,
} from '../packet/index.ts';
import { sealTransportData, TRANSPORT_HEADER } from '../wireguard/index.ts';
import { DatagramTrain, TRAIN_CAPACITY, type TrainParts } from './datagram-train.ts';
import { mtuToTell, type PacketLimits } from './packet-limits.ts';
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
  readonly #limits: PacketLimits;
  readonly #fragmenter: Fragmenter;
  /** A packet that is to be cut. Few ever are. */
  #uncut = new Uint8Array(0);

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
    this.#limits = parts.limits;
    this.#fragmenter = new Fragmenter(randomInt(2 ** 32));
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
    const cutTo = this.#fit(peer, packetLength, now);
    if (cutTo < 0) this.#counters.packetTooBig++;
    else if (keypair === undefined) this.#stage(peer, segments, cutTo, now);
    else this.#seal(keypair, segments, cutTo, now);
  }

  /**
   * @returns the length to which the packet's segments are to be cut, 0 if they fit, or -1 if they are too long for the
   * way to the peer, of which the host was told
   */
  #fit(peer: PathPeer, packetLength: number, now: Millis): number {
    const { bytes } = this.#packet;
    const { longest } = this.#segmenter;
    const limit = this.#limits.of(peer);
    let mtu = longest > LONGEST_PACKET ? LONGEST_PACKET : 0;
    if (limit !== undefined && longest > limit.mtu) {
      mtu ||= mtuToTell(bytes, VIRTIO_HEADER_BYTES, longest, limit);
      if (mtu === 0) return limit.mtu;
    } else if (mtu === 0 && limit === undefined && this.#relay.leadsTo(peer.endpoint)) {
      const relayed = relayedMtu(this.#device.mtu);
      if (longest > relayed && !mayBeFragmented(bytes, VIRTIO_HEADER_BYTES)) mtu = relayed;
    }
    if (mtu === 0) return 0;
    this.#unreachable.answerTooBig(bytes.subarray(VIRTIO_HEADER_BYTES, VIRTIO_HEADER_BYTES + packetLength), mtu, now);
    return -1;
  }

  #seal(keypair: PathKeypair, segments: number, cutTo: number, now: Millis): void {
    const train = this.#train;
    const ecn = readEcn(this.#packet.bytes, VIRTIO_HEADER_BYTES);
    if (cutTo === 0) keypair.claim(segments);
    for (let index = 0; index < segments; index++) {
      const pieces = cutTo === 0 ? 1 : this.#cut(index, cutTo);
      if (cutTo > 0) keypair.claim(pieces);
      for (let piece = 0; piece < pieces; piece++) {
        const offset = train.begin(keypair, ecn, now);
        const plaintext = offset + TRANSPORT_HEADER;
        const length =
          cutTo === 0
            ? this.#segmenter.write(index, train.bytes, plaintext)
            : this.#fragmenter.write(piece, train.bytes, plaintext);
        const sealed = sealTransportData(keypair, train.bytes, offset, length, this.#device.mtu);
        if (sealed >= 0) train.append(sealed, now);
        else this.#counters.keypairExhausted++;
      }
    }
  }

  /** There is no session yet: the peer keeps copies and sees to it that a handshake runs. */
  #stage(peer: PathPeer, segments: number, cutTo: number, now: Millis): void {
    const scratch = this.#train.scratch(now);
    for (let index = 0; index < segments; index++) {
      const pieces = cutTo === 0 ? 1 : this.#cut(index, cutTo);
      for (let piece = 0; piece < pieces; piece++) {
        const length =
          cutTo === 0 ? this.#segmenter.write(index, scratch, 0) : this.#fragmenter.write(piece, scratch, 0);
        peer.stage(scratch.subarray(0, length), now);
      }
    }
  }

  /** @returns the number of fragments of the segment, which the fragmenter holds; what cannot be cut is lost and counted */
  #cut(index: number, mtu: number): number {
    const { longest } = this.#segmenter;
    if (this.#uncut.length < longest) this.#uncut = new Uint8Array(longest);
    const pieces = this.#fragmenter.begin(this.#uncut, this.#segmenter.write(index, this.#uncut, 0), mtu);
    if (pieces === 0) this.#counters.packetTooBig++;
    return pieces;
  }
}
