import type { Endpoint } from '../inet/index.ts';
import { NativeBuffer, type UdpSocket } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import { decapsulateEcn } from '../packet/index.ts';
import {
  innerPacketLength,
  openTransportData,
  TRANSPORT_HEADER,
  type Device,
  type Keypair,
  type PlaintextPlace,
} from '../wireguard/index.ts';
import { HandshakeLoad } from './handshake-load.ts';
import type { PacketMemory } from './packet-memory.ts';
import type { PathCounters } from './path-counters.ts';
import type { PeerAddresses } from './peer-addresses.ts';
import { READ_COST, TURN_BUDGET } from './turn.ts';
import type { TunWriter } from './tun-writer.ts';

/** The whitepaper's message types, as the first 32 bits of a datagram: the type and three reserved zero bytes (§5.4). */
const TRANSPORT_DATA = 4;
/** The initiation's length; what claims to be of the handshake and is longer is not worth a copy. */
const LONGEST_HANDSHAKE_MESSAGE = 148;

/** Before each packet that is opened, and where it is opened to: it is what makes that fast (`AeadKey.open`). */
const HEADROOM = 64;
const LARGEST_TRAIN = 65_536;
/** Of the memory that a path is given. */
export const OPENED_BYTES = 2 * LARGEST_TRAIN;

/** Takes a datagram whose first byte is none of WireGuard's. `datagram` is a view into a buffer that is used again. */
export type ControlSink = (datagram: Uint8Array, from: Endpoint) => void;

/**
 * From the network to the TUN device: receive a train of datagrams (`UDP_GRO`), authenticate each, check its inner
 * source, put TCP segments together again, write them with one system call a group.
 */
export class InboundPath {
  readonly #device: Device;
  readonly #addresses: PeerAddresses;
  readonly #writer: TunWriter;
  readonly #counters: PathCounters;
  readonly #toControl: ControlSink;
  readonly #buffer = new NativeBuffer(HEADROOM + LARGEST_TRAIN);
  readonly #opened: NativeBuffer;
  /** Where the next plaintext goes. */
  readonly #place: PlaintextPlace;
  readonly #load = new HandshakeLoad();
  /** What was received with one keypair since it was last reported. */
  #keypair: Keypair | undefined;
  readonly #batch = { packets: 0, bytes: 0 };

  constructor(parts: {
    device: Device;
    addresses: PeerAddresses;
    writer: TunWriter;
    memory: PacketMemory;
    counters: PathCounters;
    toControl: ControlSink;
  }) {
    this.#device = parts.device;
    this.#addresses = parts.addresses;
    this.#writer = parts.writer;
    this.#opened = parts.memory.allocate(OPENED_BYTES);
    this.#place = { bytes: this.#opened.bytes, offset: HEADROOM };
    this.#counters = parts.counters;
    this.#toControl = parts.toControl;
  }

  /** Takes in what `socket` holds, until `TURN_BUDGET` is spent. @returns how many bytes that were */
  drain(socket: UdpSocket, now: Millis): number {
    let bytes = 0;
    for (let spent = 0; spent < TURN_BUDGET; spent += READ_COST) {
      const length = socket.receive(this.#buffer, HEADROOM);
      if (length === 0) break;
      const step = socket.segmentSize;
      for (let offset = 0; offset < length; offset += step) {
        this.#take(socket, HEADROOM + offset, Math.min(step, length - offset), now);
      }
      this.#flush();
      this.#report(socket, now);
      bytes += length;
      spent += length;
    }
    return bytes;
  }

  #take(socket: UdpSocket, offset: number, length: number, now: Millis): void {
    const { bytes } = this.#buffer;
    const type = bytes[offset];
    if (length >= TRANSPORT_HEADER && uint32(bytes, offset) === TRANSPORT_DATA) {
      this.#open(socket, offset, length, now);
    } else if (type >= 1 && type <= 4) {
      if (length > LONGEST_HANDSHAKE_MESSAGE) this.#counters.unauthenticated++;
      else this.#handshake(socket, offset, length, now);
    } else {
      this.#toControl(bytes.subarray(offset, offset + length), socket.source.toEndpoint());
    }
  }

  #handshake(socket: UdpSocket, offset: number, length: number, now: Millis): void {
    this.#device.underLoad = this.#load.count(now);
    const { bytes } = this.#buffer;
    if (this.#device.isFlood(bytes, offset, length, socket.source.ipAddress, now)) {
      this.#counters.handshakeFlood++;
      return;
    }
    this.#device.handleDatagram(bytes.slice(offset, offset + length), socket.source.toEndpoint(), now);
  }

  #open(socket: UdpSocket, offset: number, length: number, now: Millis): void {
    const { bytes } = this.#buffer;
    const keypair = this.#device.findKeypair(uint32(bytes, offset + 4));
    if (keypair === undefined) {
      this.#counters.unauthenticated++;
      return;
    }
    if (keypair !== this.#keypair) {
      this.#report(socket, now);
      this.#keypair = keypair;
    }
    const place = this.#place;
    if (place.offset + length > place.bytes.length) this.#flush();
    const opened = openTransportData(keypair, bytes, offset, length, place, now);
    if (opened < 0) {
      this.#counters.unauthenticated++;
      return;
    }
    this.#batch.bytes += length;
    if (opened === 0) return; // a keepalive
    this.#batch.packets++;
    this.#deliver(keypair, place.offset, opened, socket.trafficClass & 3);
    place.offset = (place.offset + opened + 2 * HEADROOM - 1) & -HEADROOM;
  }

  #deliver(keypair: Keypair, offset: number, plaintextLength: number, outerEcn: number): void {
    const { bytes } = this.#opened;
    const length = innerPacketLength(bytes, offset, plaintextLength);
    if (length < 0) {
      this.#counters.malformedInbound++;
    } else if (this.#device.allowedIps.lookupSource(bytes, offset) !== keypair.peer) {
      this.#counters.sourceNotAllowed++;
    } else if (!decapsulateEcn(bytes, offset, outerEcn)) {
      this.#counters.congestionUnheard++;
    } else {
      this.#writer.add(this.#opened, offset, length);
    }
  }

  /** Writes what was opened, so that its memory can be used again. */
  #flush(): void {
    this.#writer.flush(this.#opened);
    this.#place.offset = HEADROOM;
  }

  /** Tells the peer what came in with its keypair, once a batch: it sets timers and may roam (whitepaper §6, §2.1). */
  #report(socket: UdpSocket, now: Millis): void {
    const keypair = this.#keypair;
    this.#keypair = undefined;
    if (keypair === undefined || this.#batch.bytes === 0) return;
    const known = this.#addresses.of(keypair.peer);
    const isSame = known !== undefined && known.equals(socket.source) && known.hasSameLocal(socket.source);
    keypair.peer.afterReceiving(keypair, this.#batch, isSame ? undefined : socket.source.toEndpoint(), now);
    this.#batch.packets = 0;
    this.#batch.bytes = 0;
  }
}

function uint32(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24)) >>> 0;
}
