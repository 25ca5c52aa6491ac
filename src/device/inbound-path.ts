import type { Endpoint } from '../inet/index.ts';
import { NativeBuffer, type UdpSocket } from '../linux/index.ts';
import type { Millis } from '../machine/index.ts';
import {
  decapsulateEcn,
  isNobodysSource,
  IPV6,
  isOutOfPlace,
  isRelayPacket,
  meshPortOf,
  readEcn,
  RELAY_HEADER_BYTES,
  RELAY_PORT,
  TUNNEL_PORT,
} from '../packet/index.ts';
import { innerPacketLength, openTransportData, TRANSPORT_HEADER, type PlaintextPlace } from '../wireguard/index.ts';
import { HandshakeLoad } from './handshake-load.ts';
import { IcmpErrors } from './icmp-errors.ts';
import type { PacketMemory } from './packet-memory.ts';
import type { PathDevice, PathKeypair, PathPeer } from './path-device.ts';
import type { PathCounters } from './path-counters.ts';
import type { PeerAddresses } from './peer-addresses.ts';
import { PerSecondOf } from './per-second.ts';
import { relaySource, type Relay } from './relay.ts';
import { READ_COST, TURN_BUDGET } from './turn.ts';
import type { PacketWriter } from './tun-writer.ts';
import type { TunnelMessages } from './tunnel-messages.ts';
import type { Work } from './work.ts';

/** The whitepaper's message types, as the first 32 bits of a datagram: the type and three reserved zero bytes (§5.4). */
const TRANSPORT_DATA = 4;
/** The initiation's length; what claims to be of the handshake and is longer is not worth a copy. */
const LONGEST_HANDSHAKE_MESSAGE = 148;

/**
 * Handshake messages over relays in one second, of one neighbour at most, for us or for others. It may make up as many
 * sources as it likes, so cookies do not hold it back; and it alone is not to bring us under load (`HandshakeLoad`).
 */
const RELAYED_HANDSHAKES = 200;

/** Before each packet that is opened, and where it is opened to: it is what makes that fast (`AeadKey.open`). */
const HEADROOM = 64;
const LARGEST_TRAIN = 65_536;
/** Of the memory that a path is given: what comes over a relay is opened twice. */
export const OPENED_BYTES = 2 * LARGEST_TRAIN + 4 * HEADROOM;

/** Takes a datagram whose first byte is none of WireGuard's. `datagram` is a view into a buffer that is used again. */
export type ControlSink = (datagram: Uint8Array, from: Endpoint) => void;

/** What was received with one keypair since it was last reported. */
interface Receipts {
  keypair: PathKeypair | undefined;
  packets: number;
  bytes: number;
}

/**
 * From the network to the TUN device: receive a train of datagrams (`UDP_GRO`), authenticate each, check its inner
 * source, put TCP segments together again, write them with one system call a group.
 */
export class InboundPath {
  readonly #device: PathDevice;
  readonly #icmpErrors: IcmpErrors;
  readonly #addresses: PeerAddresses;
  readonly #writer: PacketWriter;
  readonly #counters: PathCounters;
  readonly #toControl: ControlSink;
  readonly #beforeDelivery: ((now: Millis) => void) | undefined;
  readonly #buffer = new NativeBuffer(HEADROOM + LARGEST_TRAIN);
  readonly #opened: NativeBuffer;
  /** Where the next plaintext goes. */
  readonly #place: PlaintextPlace;
  readonly #load = new HandshakeLoad();
  readonly #relay: Relay;
  readonly #tunnelMessages: TunnelMessages;
  readonly #work: Work;
  readonly #relayedHandshakes = new PerSecondOf<PathPeer>();
  readonly #direct: Receipts = { keypair: undefined, packets: 0, bytes: 0 };
  readonly #relayed: Receipts = { keypair: undefined, packets: 0, bytes: 0 };

  constructor(parts: {
    device: PathDevice;
    addresses: PeerAddresses;
    writer: PacketWriter;
    memory: PacketMemory;
    counters: PathCounters;
    relay: Relay;
    tunnelMessages: TunnelMessages;
    work: Work;
    toControl: ControlSink;
    beforeDelivery?: ((now: Millis) => void) | undefined;
  }) {
    this.#device = parts.device;
    this.#icmpErrors = new IcmpErrors(parts.device);
    this.#addresses = parts.addresses;
    this.#writer = parts.writer;
    this.#opened = parts.memory.allocate(OPENED_BYTES);
    this.#place = { bytes: this.#opened.bytes, offset: HEADROOM };
    this.#counters = parts.counters;
    this.#relay = parts.relay;
    this.#tunnelMessages = parts.tunnelMessages;
    this.#work = parts.work;
    this.#toControl = parts.toControl;
    this.#beforeDelivery = parts.beforeDelivery;
  }

  /** Takes in what `socket` holds, until `TURN_BUDGET` is spent. */
  drain(socket: UdpSocket, now: Millis): void {
    for (let spent = 0; spent < TURN_BUDGET; spent += READ_COST) {
      const length = socket.receive(this.#buffer, HEADROOM);
      if (length === 0) break;
      const step = socket.segmentSize;
      for (let offset = 0; offset < length; offset += step) {
        this.#take(socket, HEADROOM + offset, Math.min(step, length - offset), now);
      }
      this.#report(socket, now);
      this.#reportRelayed(now);
      this.#beforeDelivery?.(now);
      this.#flush();
      this.#work.reads++;
      this.#work.bytes += length;
      spent += length;
    }
  }

  #take(socket: UdpSocket, offset: number, length: number, now: Millis): void {
    const { bytes } = this.#buffer;
    const type = bytes[offset];
    if (length >= TRANSPORT_HEADER && int32(bytes, offset) === TRANSPORT_DATA) {
      this.#open(socket, offset, length, now);
    } else if (type >= 1 && type <= 4) {
      if (length > LONGEST_HANDSHAKE_MESSAGE) this.#counters.unauthenticated++;
      else this.#handshake(socket, offset, length, now);
    } else {
      this.#toControl(bytes.subarray(offset, offset + length), socket.source.toEndpoint());
    }
  }

  #handshake(socket: UdpSocket, offset: number, length: number, now: Millis): void {
    const { bytes } = this.#buffer;
    if (this.#isFlood(bytes, offset, length, socket.source.ipAddress, now)) return;
    this.#device.handleDatagram(bytes.slice(offset, offset + length), socket.source.toEndpoint(), now);
  }

  /** Takes in a message of the handshake that came in elsewhere; `datagram` is kept. */
  takeHandshake(datagram: Uint8Array, from: Endpoint, now: Millis): void {
    if (this.#isFlood(datagram, 0, datagram.length, from.address.bytes, now)) return;
    this.#device.handleDatagram(datagram, from, now);
  }

  // eslint-disable-next-line max-params -- an object would be an allocation a datagram
  #isFlood(bytes: Uint8Array, offset: number, length: number, source: Uint8Array, now: Millis): boolean {
    this.#device.underLoad = this.#load.count(now);
    const isFlood = this.#device.isFlood(bytes, offset, length, source, now);
    if (isFlood) this.#counters.handshakeFlood++;
    return isFlood;
  }

  #open(socket: UdpSocket, offset: number, length: number, now: Millis): void {
    const { bytes } = this.#buffer;
    const keypair = this.#device.findKeypair(int32(bytes, offset + 4));
    if (keypair === undefined) {
      this.#counters.unauthenticated++;
      return;
    }
    const receipts = this.#direct;
    if (keypair !== receipts.keypair) {
      this.#report(socket, now);
      receipts.keypair = keypair;
    }
    const place = this.#place;
    if (place.offset + 2 * (length + HEADROOM) > place.bytes.length) this.#flush();
    const plaintext = place.offset;
    const opened = this.#openNext(keypair, receipts, bytes, offset, length, now);
    if (opened === 0) return;
    const packetLength = this.#packetLength(plaintext, opened);
    if (packetLength < 0) return;
    if (this.#relay.isConfigured && meshPortOf(place.bytes, plaintext, packetLength) === RELAY_PORT) {
      this.#takeRelayPacket(keypair.peer, plaintext, packetLength, socket.trafficClass & 3, now);
    } else {
      this.#deliver(keypair.peer, plaintext, packetLength, socket.trafficClass & 3, now);
    }
  }

  /** Opens a message to the next place. @returns the length of the plaintext, 0 if it is none or has nothing in it */
  // eslint-disable-next-line max-params -- an object would be an allocation a packet
  #openNext(
    keypair: PathKeypair,
    receipts: Receipts,
    bytes: Uint8Array,
    offset: number,
    length: number,
    now: Millis,
  ): number {
    const place = this.#place;
    const opened = openTransportData(keypair, bytes, offset, length, place, now);
    if (opened < 0) {
      this.#counters.unauthenticated++;
      return 0;
    }
    receipts.bytes += length;
    if (opened === 0) return 0; // a keepalive
    receipts.packets++;
    place.offset = (place.offset + opened + 2 * HEADROOM - 1) & -HEADROOM;
    return opened;
  }

  /** @returns the length of the packet at `offset`, or -1 if it is none, which is counted */
  #packetLength(offset: number, plaintextLength: number): number {
    const length = innerPacketLength(this.#opened.bytes, offset, plaintextLength);
    if (length < 0) this.#counters.malformedInbound++;
    return length;
  }

  // eslint-disable-next-line max-params -- an object would be an allocation a packet
  #deliver(peer: PathPeer, offset: number, length: number, outerEcn: number, now: Millis): void {
    const { bytes } = this.#opened;
    const isMesh = this.#relay.isConfigured;
    // In a mesh a gateway may be believed for all addresses, and these are not among them.
    const isNobodys = isMesh && isNobodysSource(bytes, offset);
    if (isNobodys || !this.#device.isSourceAllowed(bytes, offset, peer)) {
      this.#counters.sourceNotAllowed++;
    } else if (isMesh && isOutOfPlace(bytes, offset, length)) {
      this.#counters.outOfPlace++;
    } else if (isMesh && !this.#icmpErrors.isHonest(peer, bytes, offset, length)) {
      this.#counters.errorAboutOthers++;
    } else if (!decapsulateEcn(bytes, offset, outerEcn)) {
      this.#counters.congestionUnheard++;
    } else if (isMesh && meshPortOf(bytes, offset, length) === TUNNEL_PORT) {
      this.#tunnelMessages.take(peer, bytes, offset, length, now);
    } else {
      this.#writer.add(this.#opened, offset, length);
    }
  }

  /** Whatever a neighbour puts into one, it gets no further than an authentic message of WireGuard would. */
  // eslint-disable-next-line max-params -- an object would be an allocation a packet
  #takeRelayPacket(neighbour: PathPeer, offset: number, length: number, outerEcn: number, now: Millis): void {
    const { bytes } = this.#opened;
    if (!isRelayPacket(bytes, offset, length)) {
      this.#counters.relayMalformed++;
    } else if (!decapsulateEcn(bytes, offset, outerEcn)) {
      this.#counters.congestionUnheard++;
    } else if (!this.#isData(offset) && !this.#relayedHandshakes.take(neighbour, RELAYED_HANDSHAKES, now)) {
      this.#counters.relayHandshakeFlood++;
    } else if (!this.#relay.isForUs(bytes, offset)) {
      this.#relay.forward(bytes, offset, length, neighbour, now);
    } else if (this.#isData(offset)) {
      this.#openRelayed(offset, length, now);
    } else {
      this.#takeRelayedHandshake(offset, length, now);
    }
  }

  /** Whether the relay packet at `offset` carries transport data, and no message of the handshake. */
  #isData(offset: number): boolean {
    return this.#opened.bytes[offset + RELAY_HEADER_BYTES] === TRANSPORT_DATA;
  }

  #openRelayed(offset: number, length: number, now: Millis): void {
    const { bytes } = this.#opened;
    const message = offset + RELAY_HEADER_BYTES;
    const keypair = this.#device.findKeypair(int32(bytes, message + 4));
    if (keypair === undefined) {
      this.#counters.unauthenticated++;
      return;
    }
    const receipts = this.#relayed;
    if (keypair !== receipts.keypair) {
      this.#reportRelayed(now);
      receipts.keypair = keypair;
    }
    const plaintext = this.#place.offset;
    const opened = this.#openNext(keypair, receipts, bytes, message, length - RELAY_HEADER_BYTES, now);
    if (opened === 0) return;
    const packetLength = this.#packetLength(plaintext, opened);
    if (packetLength < 0) return;
    if (meshPortOf(bytes, plaintext, packetLength) === RELAY_PORT) this.#counters.relayNested++;
    else this.#deliver(keypair.peer, plaintext, packetLength, readEcn(bytes, offset), now);
  }

  #takeRelayedHandshake(offset: number, length: number, now: Millis): void {
    const { bytes } = this.#opened;
    const message = offset + RELAY_HEADER_BYTES;
    if (offset + length - message > LONGEST_HANDSHAKE_MESSAGE) {
      this.#counters.unauthenticated++;
      return;
    }
    const source = bytes.subarray(offset + IPV6.source, offset + IPV6.destination);
    if (this.#isFlood(bytes, message, length - RELAY_HEADER_BYTES, source, now)) return;
    this.#device.handleDatagram(bytes.slice(message, offset + length), relaySource(bytes, offset), now);
  }

  /** Writes what was opened, so that its memory can be used again. */
  #flush(): void {
    this.#writer.flush(this.#opened);
    this.#place.offset = HEADROOM;
  }

  /** Tells the peer what came in with its keypair, once a batch: it sets timers and may roam (whitepaper §6, §2.1). */
  #report(socket: UdpSocket, now: Millis): void {
    const receipts = this.#direct;
    const { keypair } = receipts;
    receipts.keypair = undefined;
    if (keypair === undefined || receipts.bytes === 0) return;
    const known = this.#addresses.of(keypair.peer);
    const isSame = known !== undefined && known.equals(socket.source) && known.hasSameLocal(socket.source);
    keypair.peer.afterReceiving(keypair, receipts, isSame ? undefined : socket.source.toEndpoint(), now);
    receipts.packets = 0;
    receipts.bytes = 0;
  }

  /** The same for what came over relays, which moves no endpoint: only handshakes do (`Relay`). */
  #reportRelayed(now: Millis): void {
    const receipts = this.#relayed;
    const { keypair } = receipts;
    receipts.keypair = undefined;
    if (keypair === undefined || receipts.bytes === 0) return;
    keypair.peer.afterReceiving(keypair, receipts, undefined, now);
    receipts.packets = 0;
    receipts.bytes = 0;
  }
}

/** Signed, because V8 keeps the upper half of the others on its heap. */
function int32(bytes: Uint8Array, offset: number): number {
  return bytes[offset] | (bytes[offset + 1] << 8) | (bytes[offset + 2] << 16) | (bytes[offset + 3] << 24);
}
