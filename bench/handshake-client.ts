import type { Endpoint } from '../src/inet/index.ts';
import { Epoll, inNamespace, NativeBuffer, openUdpSocket, SocketAddress } from '../src/linux/index.ts';
import { addressFromBytes } from '../src/inet/index.ts';
import type { Initiators } from './initiators.ts';

/** Initiations under way at once: enough to keep a responder busy, too few for wireguard-go to call itself under load. */
const WINDOW = 32;
/**
 * A responder that says nothing for as long, in milliseconds, has lost what was under way. Not shorter: on a busy
 * machine it waits that long for its core, and what is sent on top makes wireguard-go call itself under load.
 */
const PATIENCE = 2000;
/** Confirmations sent without a pause between, few enough for the responder's socket to hold: nothing answers them. */
const BURST = 32;
/** In milliseconds. Longer than the responder needs for a burst, on a core that it shares. */
const PAUSE = 10;

/** The type of a response (whitepaper §5.4.3). */
const RESPONSE = 2;

/** Carries the messages of `Initiators` from their addresses to a responder, all through one socket. */
export class HandshakeClient {
  readonly #initiators: Initiators;
  readonly #responder: Endpoint;
  readonly #socket;
  readonly #epoll = new Epoll();
  readonly #buffer = new NativeBuffer(65_536);
  readonly #destinations: readonly SocketAddress[];

  constructor(namespace: string, initiators: Initiators, responder: Endpoint) {
    this.#initiators = initiators;
    this.#responder = responder;
    this.#socket = inNamespace(namespace, () => openUdpSocket(4, 0));
    this.#epoll.add(this.#socket.fd, 0);
    this.#destinations = initiators.all.map(({ address }) => {
      const to = new SocketAddress();
      to.fromEndpoint({ ...responder, local: addressFromBytes(address) });
      return to;
    });
  }

  /** Has every initiator do one handshake. @returns how many were answered by a response, a second */
  run(): number {
    const initiations = this.#initiators.initiate();
    const answers: (Uint8Array | undefined)[] = [];
    this.#receive([]); // What came too late in the run before.
    const startedAt = performance.now();
    let [sent, answered, lost] = [0, 0, 0];
    let lastAt = startedAt;
    while (answered < initiations.length) {
      for (; sent < initiations.length && sent - answered - lost < WINDOW; sent++) this.#send(sent, initiations[sent]);
      if (this.#epoll.wait(PATIENCE) > 0) {
        answered += this.#receive(answers);
        lastAt = performance.now();
      } else if (sent < initiations.length) {
        // Or it was only late; then there are more under way from now on, and their answers count.
        lost = sent - answered;
      } else {
        break;
      }
    }
    const responses = answers.filter((answer) => answer?.[0] === RESPONSE).length;
    this.#confirm(answers);
    return responses / ((lastAt - startedAt) / 1000);
  }

  close(): void {
    this.#socket.close();
    this.#epoll.close();
  }

  /** Hands answers to the initiators, cookie replies among them, and sends what they say to that. */
  #confirm(answers: readonly (Uint8Array | undefined)[]): void {
    answers.forEach((answer, index) => {
      const confirmation = answer && this.#initiators.answer(index, answer, this.#responder);
      if (confirmation !== undefined) this.#send(index, confirmation);
      if (index % BURST === 0) pause();
    });
  }

  #send(index: number, datagram: Uint8Array): void {
    this.#buffer.bytes.set(datagram);
    const error = this.#socket.send(this.#buffer, 0, datagram.length, datagram.length, this.#destinations[index]);
    if (error !== 0) throw new Error(`sending a handshake message failed with error ${error}`);
  }

  #receive(answers: (Uint8Array | undefined)[]): number {
    let count = 0;
    for (let length = this.#socket.receive(this.#buffer); length > 0; length = this.#socket.receive(this.#buffer)) {
      const [, , high, low] = this.#socket.localAddress;
      answers[(high << 8) | low] = this.#buffer.bytes.slice(0, length);
      count++;
    }
    return count;
  }
}

/** Blocks the thread: the time that it takes is nobody's. */
function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
}
