import { randomInt } from 'node:crypto';
import { parseAddress, type IpAddress } from '../../src/inet/index.ts';
import { IcmpSocket, inNamespace, namespacePath, watchReadable } from '../../src/linux/index.ts';

const COUNTER_BYTES = 4;

/** Echo requests to one address from inside a namespace, numbered beyond the 16 bits of the protocol. */
export class EchoSocket {
  readonly #to: IpAddress;
  readonly #socket: IcmpSocket;
  readonly #watch: { close(): void };
  readonly #identifier = randomInt(0x10000);

  /** `onReply` is told the number of each request answered, and may be told one more than once. */
  constructor(namespace: string, to: string, onReply: (number: number) => void) {
    const address = parseAddress(to);
    if (address === undefined) throw new RangeError(`not an address: ${to}`);
    this.#to = address;
    this.#socket = inNamespace(namespacePath(namespace), () => new IcmpSocket(address.family));
    this.#watch = watchReadable(this.#socket.fd, () => {
      for (let reply = this.#socket.receive(); reply !== undefined; reply = this.#socket.receive()) {
        const isOurs = reply.identifier === this.#identifier && reply.payload.length >= COUNTER_BYTES;
        if (isOurs) onReply(Buffer.from(reply.payload).readUInt32BE(0));
      }
    });
  }

  /** Where there is no route yet, nothing is sent, which is no failure. `payloadBytes` is 4 or more. */
  send(number: number, payloadBytes = 56): void {
    const payload = Buffer.alloc(payloadBytes);
    payload.writeUInt32BE(number);
    this.#socket.sendEcho(this.#to, this.#identifier, number & 0xffff, payload);
  }

  /** Sends a packet that is not answered, as a train of them is to be found again by its size on one way only. */
  sendUnasked(payloadBytes: number): void {
    this.#socket.sendUnasked(this.#to, Buffer.alloc(payloadBytes));
  }

  close(): void {
    this.#watch.close();
    this.#socket.close();
  }
}
