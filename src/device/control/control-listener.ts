import { NativeBuffer, openSharedUdpSocket, type DatagramFilter, type UdpSocket } from '../../linux/index.ts';
import type { ControlRelay } from './control-relay.ts';

/** No control message is longer; what is cut off here is none. */
const BUFFER_BYTES = 2048;
/** In one turn, so that packets and commands have theirs. */
const BATCH = 64;

/** Hears control messages on a second port, IPv6 alone, that other programs may hear as well. Sends nothing. */
export class ControlListener {
  readonly socket: UdpSocket;
  readonly #relay: ControlRelay;
  readonly #buffer = new NativeBuffer(BUFFER_BYTES);

  /** @throws PortInUseError, SystemCallError */
  constructor(port: number, relay: ControlRelay) {
    this.socket = openSharedUdpSocket(6, port);
    this.#relay = relay;
  }

  /** Takes the filter over. */
  filter(filter: DatagramFilter): void {
    filter.attach(this.socket);
    filter.close();
  }

  drain(): void {
    for (let i = 0; i < BATCH; i++) {
      const length = this.socket.receive(this.#buffer);
      if (length === 0) return;
      this.#relay.take(this.#buffer.bytes.subarray(0, length), this.socket.source.toEndpoint());
    }
  }

  close(): void {
    this.socket.close();
  }
}
