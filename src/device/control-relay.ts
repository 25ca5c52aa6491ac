import type { Endpoint } from '../inet/index.ts';
import { type Millis } from '../machine/index.ts';
import type { PathCounters } from './path-counters.ts';

/** Control messages passed on in one second, at most: nobody has authenticated them, and each wakes another thread. */
const MESSAGES_PER_SECOND = 500;
/** No control message is longer (src/mesh). */
const LONGEST_MESSAGE = 1280;

/** Copies control messages out of the receive buffer for the owner's thread, at a bounded rate. */
export class ControlRelay {
  readonly #counters: PathCounters;
  readonly #clock: () => Millis;
  readonly #pass: (datagram: Uint8Array, from: Endpoint) => void;
  #second = 0;
  #passed = 0;

  constructor(counters: PathCounters, clock: () => Millis, pass: (datagram: Uint8Array, from: Endpoint) => void) {
    this.#counters = counters;
    this.#clock = clock;
    this.#pass = pass;
  }

  /** `datagram` is copied. */
  take(datagram: Uint8Array, from: Endpoint): void {
    const second = Math.floor(this.#clock() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#passed = 0;
    }
    if (this.#passed >= MESSAGES_PER_SECOND || datagram.length > LONGEST_MESSAGE) {
      this.#counters.controlRateExceeded++;
      return;
    }
    this.#passed++;
    this.#pass(datagram.slice(), from);
  }
}
