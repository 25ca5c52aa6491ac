import { TUNNEL_PORT } from '../device/index.ts';
import { endpointOf, type IpAddress } from '../inet/index.ts';
import { NativeBuffer, openUdpSocket, SocketAddress, watchReadable, type UdpSocket } from '../linux/index.ts';

/** A train of datagrams may be as long as one datagram of IPv6. */
const LONGEST_TRAIN = 65_535;
/** Datagrams or trains taken in one turn of the event loop, so that nothing else waits for long. */
const TRAINS_AT_ONCE = 64;

/**
 * The mesh's own messages between two nodes with a tunnel. WireGuard has authenticated the source address of what comes
 * out of the tunnel. Linux, however, takes a packet to one of its addresses from any interface (the weak host model of
 * RFC 1122 §3.3.4.2), so each datagram is asked which interface it came in on, and forged ones from a link are dropped.
 */
export class TunnelSocket {
  readonly #socket: UdpSocket;
  readonly #watch: { close(): void };
  readonly #incoming = new NativeBuffer(LONGEST_TRAIN);
  readonly #outgoing = new NativeBuffer(2048);
  readonly #to = new SocketAddress();
  readonly #interfaceIndex: number;
  readonly #onDatagram: (datagram: Uint8Array, from: IpAddress) => void;

  /** `interfaceIndex` is that of the tunnel. @throws PortInUseError */
  constructor(interfaceIndex: number, onDatagram: (datagram: Uint8Array, from: IpAddress) => void) {
    this.#interfaceIndex = interfaceIndex;
    this.#onDatagram = onDatagram;
    this.#socket = openUdpSocket(6, TUNNEL_PORT);
    this.#watch = watchReadable(this.#socket.fd, () => this.#receive());
  }

  /** Sends one datagram of at most 2,048 bytes. Like every datagram it may be lost, in silence. */
  send(datagram: Uint8Array, to: IpAddress): void {
    this.#outgoing.bytes.set(datagram);
    this.#to.fromEndpoint(endpointOf(to, TUNNEL_PORT));
    this.#socket.send(this.#outgoing, 0, datagram.length, datagram.length, this.#to);
  }

  close(): void {
    this.#watch.close();
    this.#socket.close();
  }

  #receive(): void {
    const socket = this.#socket;
    for (let i = 0; i < TRAINS_AT_ONCE && socket.fd >= 0; i++) {
      const length = socket.receive(this.#incoming);
      if (length === 0) return;
      if (socket.localInterfaceIndex !== this.#interfaceIndex) continue;
      const { address, port } = socket.source.toEndpoint();
      if (port !== TUNNEL_PORT) continue;
      const { segmentSize } = socket;
      for (let at = 0; at < length; at += segmentSize) {
        this.#onDatagram(this.#incoming.bytes.slice(at, Math.min(length, at + segmentSize)), address);
      }
    }
  }
}
