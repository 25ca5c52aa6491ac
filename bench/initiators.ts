import { chooseAead } from '../src/crypto/aead.ts';
import { nodePrimitives } from '../src/crypto/node.ts';
import type { Primitives } from '../src/crypto/primitives.ts';
import { addressFromBytes, endpointOf, parsePrefix, type Endpoint } from '../src/inet/index.ts';
import { millis, type Millis } from '../src/machine/index.ts';
import { Device } from '../src/wireguard/index.ts';

/** The message's type (whitepaper §5.4.2). */
const INITIATION = 1;
/** Longer than any session lives (whitepaper §6.1): after a step of the clock a packet asks for a new handshake. */
const STEP = 200_000;
/** A cookie is to outlive the steps of a clock that the responder does not share. */
const LIFETIME_FOR_BENCHMARKS_ONLY = millis(1e12);
/** What the initiators and the responder say to each other inside: a packet from 10.0.0.1 to 10.0.0.2. */
const PACKET = Uint8Array.from([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);

/** One initiator, with an address of 198.18.0.0/15 (RFC 2544, for benchmarks) that is its own. */
export interface Initiator {
  readonly publicKey: Uint8Array;
  readonly address: Uint8Array;
  readonly from: Endpoint;
  readonly device: Device;
}

/** Many initiators of handshakes with one responder, in a time of their own: what they send is prepared beforehand. */
export class Initiators {
  readonly all: readonly Initiator[];
  readonly primitives: Primitives = nodePrimitives(chooseAead().aead);
  readonly #unixTimeOfStart = Date.now();
  #now = millis(0);

  constructor(count: number, responderBy: (primitives: Primitives) => { publicKey: Uint8Array; endpoint: Endpoint }) {
    const responder = responderBy(this.primitives);
    const allowedIps = [{ prefix: parsePrefix('10.0.0.2')! }];
    this.all = Array.from({ length: count }, (_, index) => {
      const address = Uint8Array.of(198, 18, index >> 8, index & 255);
      const device = new Device({
        primitives: this.primitives,
        unixTime: () => millis(this.#unixTimeOfStart + this.#now),
        timing: { cookieLifetime: LIFETIME_FOR_BENCHMARKS_ONLY },
      });
      const privateKey = this.primitives.randomBytes(32);
      device.configure({ privateKey, peers: [{ ...responder, allowedIps }] }, this.#now);
      const publicKey = this.primitives.publicKey(privateKey);
      return { publicKey, address, from: endpointOf(addressFromBytes(address), 1000 + (index & 0x7fff)), device };
    });
  }

  /** Lets time pass until every session is over, and has every initiator begin a new handshake. */
  initiate(): Uint8Array[] {
    this.#now = millis(this.#now + STEP);
    return this.all.map(({ device }) => {
      // It may have begun by itself: the session was silent for too long.
      device.handleTimeout(this.#now);
      device.handlePacket(PACKET, this.#now);
      const initiation = drain(device).findLast(([type]) => type === INITIATION);
      if (initiation === undefined) throw new Error('an initiator did not begin a handshake');
      return initiation;
    });
  }

  /** @returns what the initiator sends next: after a response, the packet that confirms the session */
  answer(index: number, datagram: Uint8Array, from: Endpoint): Uint8Array | undefined {
    const { device } = this.all[index];
    device.handleDatagram(datagram, from, this.#now);
    return drain(device)[0];
  }

  get now(): Millis {
    return this.#now;
  }
}

/** What `device` wants to send. */
export function drain(device: Device): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  for (let output = device.poll(); output !== undefined; output = device.poll()) {
    if (output.kind === 'send') datagrams.push(output.datagram);
  }
  return datagrams;
}
