import { after, millis, type Millis } from '../machine/index.ts';
import type { PathPeer } from './path-device.ts';

const INTERVAL = millis(1000);

/** Tells something of peers, once a second for each at most: whoever is told lives in another thread. */
export class PeerReports {
  readonly #report: (peer: PathPeer, errno: number) => void;
  readonly #quietUntil = new WeakMap<PathPeer, Millis>();
  /** The last that was told of, which most likely comes again. */
  #last: PathPeer | undefined;
  #lastQuietUntil = millis(0);

  /** `errno` is 0 where it is not an error that is told. */
  constructor(report: (peer: PathPeer, errno: number) => void) {
    this.#report = report;
  }

  note(peer: PathPeer, now: Millis, errno = 0): void {
    if (peer === this.#last && now < this.#lastQuietUntil) return;
    const quietUntil = this.#quietUntil.get(peer);
    const isDue = quietUntil === undefined || now >= quietUntil;
    this.#last = peer;
    this.#lastQuietUntil = isDue ? after(now, INTERVAL) : quietUntil;
    if (!isDue) return;
    this.#quietUntil.set(peer, this.#lastQuietUntil);
    this.#report(peer, errno);
  }
}
