import { isLinkLocal, type Endpoint, type IpAddress } from '../../inet/index.ts';
import { hasForm, type DatagramForm } from '../../linux/index.ts';
import type { Millis } from '../../machine/index.ts';
import type { PathCounters } from '../path-counters.ts';
import { addressKey, Share, sourceKey } from './share.ts';

/** No control message is longer (src/mesh). */
const LONGEST_MESSAGE = 1280;
/**
 * Passed on in one second, at most: nobody has authenticated them, and each wakes another thread. Who knows what control
 * messages look like can fill a share from forged sources. Not that of a link's own addresses, which no router forwards,
 * unless he is on the link; and not that of the others who are known, unless he knows who they are.
 */
const STRANGERS = { total: 250, perSource: 40 };
const LINKS = { total: 150, perSource: 40 };
const KNOWN = { total: 400, perSource: 80 };

/** In the life of a device: enough to say that they are there, too few to be a load. */
const KIN_PASSED = 32;

/** Copies control messages out of the receive buffer for the owner's thread, at a bounded rate. */
export class ControlRelay {
  readonly #counters: PathCounters;
  readonly #clock: () => Millis;
  readonly #pass: (datagram: Uint8Array, from: Endpoint) => void;
  readonly #strangers = new Share(STRANGERS);
  readonly #links = new Share(LINKS);
  readonly #known = new Share(KNOWN);
  #knownAddresses: ReadonlySet<string> = new Set();
  #form: DatagramForm | undefined;
  #kin: DatagramForm | undefined;
  #kinLeft = KIN_PASSED;
  #onKinEnough: () => void = () => undefined;

  constructor(counters: PathCounters, clock: () => Millis, pass: (datagram: Uint8Array, from: Endpoint) => void) {
    this.#counters = counters;
    this.#clock = clock;
    this.#pass = pass;
  }

  /**
   * What the owner takes for a control message from now on, and of what else he wants to see the first few; `onKinEnough`:
   * no more of those are wanted. Before this is called, nothing is.
   */
  expect(form: DatagramForm, kin: DatagramForm, onKinEnough: () => void): void {
    this.#form = form;
    this.#kin = kin;
    this.#onKinEnough = onKinEnough;
  }

  /** The addresses that have a share of their own. */
  setKnown(addresses: readonly IpAddress[]): void {
    this.#knownAddresses = new Set(addresses.map(addressKey));
  }

  /** `datagram` is copied. */
  take(datagram: Uint8Array, from: Endpoint): void {
    if (this.#form === undefined || datagram.length > LONGEST_MESSAGE || !this.#isWanted(datagram, this.#form)) {
      this.#counters.controlMalformed++;
    } else if (this.#takeToken(from)) {
      this.#pass(datagram.slice(), from);
    } else {
      this.#counters.controlRateExceeded++;
    }
  }

  #isWanted(datagram: Uint8Array, form: DatagramForm): boolean {
    if (hasForm(datagram, form)) return true;
    if (this.#kinLeft === 0 || this.#kin === undefined || !hasForm(datagram, this.#kin)) return false;
    this.#kinLeft--;
    if (this.#kinLeft === 0) this.#onKinEnough();
    return true;
  }

  #takeToken(from: Endpoint): boolean {
    const now = this.#clock();
    const isKnown = this.#knownAddresses.has(addressKey(from.address));
    if (isKnown && this.#known.take(addressKey(from.address), now)) return true;
    const share = isLinkLocal(from.address) ? this.#links : this.#strangers;
    return share.take(sourceKey(from), now);
  }
}
