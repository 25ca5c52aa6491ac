import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { DISCOVERY_PORT } from '../api/index.ts';
import { endpointOf, formatAddress, parseAddress, type Endpoint } from '../inet/index.ts';
import type { Link } from '../linux/index.ts';
import { BEACON_GROUP } from './beacon-group.ts';

/**
 * Hears the beacons where WireGuard is bound to another port than theirs. It only receives: answers go out from
 * WireGuard's port, which is the one that others are to know. Daemons on one host share the port (SO_REUSEADDR).
 */
export class BeaconSocket {
  readonly #socket: Socket;
  readonly #indexByName = new Map<string, number>();
  readonly #onDatagram: (datagram: Uint8Array, from: Endpoint) => void;

  static async open(onDatagram: (datagram: Uint8Array, from: Endpoint) => void): Promise<BeaconSocket> {
    const socket = createSocket({ type: 'udp6', ipv6Only: true, reuseAddr: true });
    try {
      socket.bind(DISCOVERY_PORT);
      await once(socket, 'listening');
    } catch (error) {
      socket.close();
      throw error;
    }
    return new BeaconSocket(socket, onDatagram);
  }

  private constructor(socket: Socket, onDatagram: (datagram: Uint8Array, from: Endpoint) => void) {
    this.#socket = socket;
    this.#onDatagram = onDatagram;
    socket.on('message', (datagram, from) => this.#receive(datagram, from));
    // What the network reports about a socket that never sends is of no interest.
    socket.on('error', () => undefined);
  }

  joinGroup({ index, name }: Pick<Link, 'index' | 'name'>): void {
    this.#indexByName.set(name, index);
    try {
      this.#socket.addMembership(formatAddress(BEACON_GROUP), `::%${name}`);
    } catch (error) {
      // A link that went down and came up again has kept its membership.
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }

  close(): void {
    this.#socket.close();
  }

  #receive(datagram: Buffer, { address, port }: RemoteInfo): void {
    const [text, zone] = address.split('%');
    const parsed = parseAddress(text);
    if (parsed === undefined) return;
    this.#onDatagram(new Uint8Array(datagram), endpointOf(parsed, port, this.#indexByName.get(zone) ?? 0));
  }
}
