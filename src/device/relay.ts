import { endpointOf, formatAddress, type Endpoint, type IpAddress } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import {
  IPV6,
  isMeshAddress,
  readEcn,
  RELAY_HEADER_BYTES,
  RELAY_PORT,
  RelayHeader,
  type Checksums,
} from '../packet/index.ts';
import { InvalidConfigurationError, sealTransportData, TRANSPORT_HEADER } from '../wireguard/index.ts';
import type { Detour, DatagramTrain } from './datagram-train.ts';
import type { PathDevice, PathKeypair, PathPeer } from './path-device.ts';
import type { PathCounters } from './path-counters.ts';
import type { PeerReports } from './peer-reports.ts';
import { RelayTable, type RelayRouteChange } from './relay-table.ts';

/** What a node must know to be a part of a mesh in which nodes relay for each other. */
export interface RelayConfiguration {
  /** This node's, of the mesh. */
  readonly address: IpAddress;
  /** Whether it relays what is not for itself. */
  readonly mayForward: boolean;
}

/** Together with two headers and the tag a datagram, and within what IPv6 can say. */
const LONGEST_MESSAGE = 65_400;
/** Transport data without a packet inside (whitepaper §5.4.6). */
const KEEPALIVE_BYTES = 32;
const TRANSPORT_DATA = 4;

/**
 * The way over neighbours (docs/decisions/0018-relay-packets.md). A peer whose endpoint is an address of the mesh with
 * port RELAY_PORT is spoken to over relays: its datagrams go, each behind the header of a relay packet, into the session
 * with the neighbour that leads there, who does the same. Until it is configured, such an endpoint is one as others are.
 */
export class Relay implements Detour {
  readonly #device: PathDevice;
  readonly #counters: PathCounters;
  readonly #checksums: Checksums;
  readonly #train: DatagramTrain;
  readonly #activity: PeerReports;
  readonly #table: RelayTable;
  #header: RelayHeader | undefined;
  #mayForward = false;

  /** `train` is for itself alone, and lies in memory that `checksums` is fast for. `activity` is told of next hops. */
  constructor(parts: {
    device: PathDevice;
    counters: PathCounters;
    checksums: Checksums;
    train: DatagramTrain;
    activity: PeerReports;
  }) {
    this.#device = parts.device;
    this.#counters = parts.counters;
    this.#checksums = parts.checksums;
    this.#train = parts.train;
    this.#activity = parts.activity;
    this.#table = new RelayTable((publicKey) => parts.device.findPeer(publicKey));
  }

  /** @throws InvalidConfigurationError */
  configure({ address, mayForward }: RelayConfiguration): void {
    if (!isMeshAddress(address.bytes, 0))
      throw new InvalidConfigurationError(`${formatAddress(address)} is no address of a mesh`);
    this.#header = new RelayHeader(address.bytes);
    this.#mayForward = mayForward;
    this.#device.mayRoam = (peer, from) => this.#mayRoam(peer, from);
  }

  /** @throws InvalidConfigurationError, with nothing changed */
  setRoutes(changes: readonly RelayRouteChange[]): void {
    this.#table.change(changes);
  }

  /** To be called when peers have come or gone. */
  findPeers(): void {
    this.#table.findPeers();
  }

  /** This node's address in the mesh, of 16 bytes. */
  get address(): Uint8Array | undefined {
    return this.#header?.bytes.subarray(IPV6.source, IPV6.destination);
  }

  get isConfigured(): boolean {
    return this.#header !== undefined;
  }

  /** Whether the relay packet at `offset` is for this node. */
  isForUs(bytes: Uint8Array, offset: number): boolean {
    const own = this.#header!.bytes;
    for (let i = 0; i < 16; i++) if (bytes[offset + IPV6.destination + i] !== own[IPV6.source + i]) return false;
    return true;
  }

  leadsTo(endpoint: Endpoint | undefined): boolean {
    return this.isConfigured && endpoint !== undefined && isRelayed(endpoint);
  }

  // The data path: an object for the parameters would be an allocation a train.
  // eslint-disable-next-line max-params
  sendTrain(bytes: Uint8Array, length: number, segmentSize: number, to: Endpoint, ecn: number, now: Millis): void {
    const header = this.#header!;
    header.begin(to.address.bytes, ecn);
    const hop = this.#nextHop(header.bytes, 0);
    if (hop === undefined) return;
    for (let at = 0; at < length; at += segmentSize) {
      this.#wrap(header, hop, bytes, at, Math.min(segmentSize, length - at), now);
    }
  }

  /** Sends a datagram that is no part of a train: a handshake's, or what waited for one. */
  send(datagram: Uint8Array, to: Endpoint, now: Millis): void {
    const train = this.#train;
    train.flush(now);
    train.isControl = true;
    this.sendTrain(datagram, datagram.length, datagram.length, to, 0, now);
    train.flush(now);
    train.isControl = false;
  }

  /** Sends on the relay packet of `length` bytes at `offset`, which came from the neighbour `from`. */
  // eslint-disable-next-line max-params
  forward(bytes: Uint8Array, offset: number, length: number, from: PathPeer, now: Millis): void {
    const hopLimit = offset + IPV6.hopLimit;
    if (!this.#mayForward) {
      this.#counters.relayRefused++;
      return;
    }
    if (bytes[hopLimit] <= 1) {
      this.#counters.relayHopLimit++;
      return;
    }
    const hop = this.#nextHop(bytes, offset);
    if (hop === undefined) return;
    if (hop === from) {
      this.#counters.relaySplitHorizon++;
      return;
    }
    bytes[hopLimit]--;
    this.#noteActivity(hop, bytes, offset + RELAY_HEADER_BYTES, length - RELAY_HEADER_BYTES, now);
    const keypair = hop.sendingKeypair(now);
    if (keypair === undefined) return hop.stage(bytes.subarray(offset, offset + length), now);
    const packet = this.#begin(keypair, readEcn(bytes, offset), now);
    this.#checksums.copyAndSum(this.#train.bytes, packet, bytes, offset, length);
    this.#seal(keypair, packet, length, now);
  }

  /** Sends what is still held back. */
  flush(now: Millis): void {
    this.#train.flush(now);
  }

  #nextHop(bytes: Uint8Array, offset: number): PathPeer | undefined {
    const hop = this.#table.lookup(bytes, offset);
    if (hop?.endpoint === undefined) {
      this.#counters.relayNoRoute++;
      return undefined;
    }
    if (isRelayed(hop.endpoint)) {
      this.#counters.relayNested++;
      return undefined;
    }
    return hop;
  }

  // eslint-disable-next-line max-params
  #wrap(header: RelayHeader, hop: PathPeer, bytes: Uint8Array, at: number, length: number, now: Millis): void {
    if (length > LONGEST_MESSAGE) {
      this.#counters.sendErrors++;
      return;
    }
    this.#noteActivity(hop, bytes, at, length, now);
    const keypair = hop.sendingKeypair(now);
    const train = this.#train;
    const packet = keypair === undefined ? 0 : this.#begin(keypair, readEcn(header.bytes, 0), now);
    const target = keypair === undefined ? train.scratch(now) : train.bytes;
    const sum = this.#checksums.copyAndSum(target, packet + RELAY_HEADER_BYTES, bytes, at, length);
    header.write(target, packet, length, sum);
    const packetLength = RELAY_HEADER_BYTES + length;
    if (keypair === undefined) hop.stage(target.subarray(0, packetLength), now);
    else this.#seal(keypair, packet, packetLength, now);
  }

  /** @returns where the next packet of the train goes */
  #begin(keypair: PathKeypair, ecn: number, now: Millis): number {
    return this.#train.begin(keypair, ecn, now) + TRANSPORT_HEADER;
  }

  #seal(keypair: PathKeypair, packet: number, length: number, now: Millis): void {
    const sealed = sealTransportData(keypair, this.#train.bytes, packet - TRANSPORT_HEADER, length, this.#device.mtu);
    if (sealed < 0) this.#counters.keypairExhausted++;
    else this.#train.append(sealed, now);
  }

  /** Handshakes and keepalives are nothing that anybody waits for. */
  // eslint-disable-next-line max-params
  #noteActivity(hop: PathPeer, bytes: Uint8Array, message: number, length: number, now: Millis): void {
    if (bytes[message] === TRANSPORT_DATA && length > KEEPALIVE_BYTES) this.#activity.note(hop, now);
  }

  /**
   * What comes directly shows that there is a direct way, so it always counts (whitepaper §2.1). What comes over a relay
   * shows less than the endpoint that is known, and must not send a peer's traffic to the address of another.
   */
  #mayRoam(peer: PathPeer, from: Endpoint): boolean {
    if (!isRelayed(from)) return true;
    if (peer.endpoint !== undefined && !isRelayed(peer.endpoint)) return false;
    const header = new RelayHeader(from.address.bytes);
    header.begin(from.address.bytes, 0);
    return this.#device.allowedIps.lookupSource(header.bytes, 0) === peer;
  }
}

/** What the source of the relay packet at `offset` is as an endpoint. */
export function relaySource(bytes: Uint8Array, offset: number): Endpoint {
  const source = offset + IPV6.source;
  return endpointOf({ family: 6, bytes: bytes.slice(source, source + 16) }, RELAY_PORT);
}

function isRelayed({ address, port }: Endpoint): boolean {
  return port === RELAY_PORT && isMeshAddress(address.bytes, 0);
}
