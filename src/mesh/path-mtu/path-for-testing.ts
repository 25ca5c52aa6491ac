/** A path in virtual time that carries what is no longer than its limit, back and forth, with loss and delay. */
import { after, millis, seconds, type Millis } from '../../machine/index.ts';
import { PathMtu, type PathMtuOutput } from './path-mtu.ts';

type Said = Exclude<PathMtuOutput, { kind: 'probe' }>;

export class PathForTesting {
  readonly machine: PathMtu;
  now = millis(0);
  /** There, in bytes. Answers are short. */
  limit = Infinity;
  delay = 10;
  /** The chances that a packet is lost there, and its answer back. */
  loss = 0;
  lossOfAnswers = 0;
  readonly said: (Said & { readonly at: Millis })[] = [];
  readonly probes: { readonly at: Millis; readonly size: number }[] = [];
  #flying: { readonly at: Millis; readonly nonce: bigint }[] = [];
  #state: number;

  constructor(seed = 1) {
    this.#state = seed;
    let nonce = 0n;
    this.machine = new PathMtu(() => ++nonce);
  }

  /** With traffic all the time, if there `isTraffic`. */
  runFor(length: Millis, isTraffic = false): void {
    const end = after(this.now, length);
    let trafficAt: number = isTraffic ? this.now : Infinity;
    for (;;) {
      this.#drain();
      const next = Math.min(this.machine.nextTimeout(), this.#flying[0]?.at ?? Infinity, trafficAt);
      if (next > end) break;
      this.now = millis(Math.max(this.now, next));
      if (trafficAt <= this.now) {
        this.machine.handleActive(this.now);
        trafficAt += seconds(1);
      }
      while (this.#flying.length > 0 && this.#flying[0].at <= this.now) {
        this.machine.handleEcho((this.#flying.shift() as { nonce: bigint }).nonce, this.now);
      }
      this.machine.handleTimeout(this.now);
    }
    this.now = end;
  }

  /** What was found, in order. */
  found(): (number | 'blocked')[] {
    return this.said.flatMap((one) => (one.kind === 'found' ? [one.isBlocked ? ('blocked' as const) : one.mtu] : []));
  }

  #drain(): void {
    for (let output = this.machine.poll(); output !== undefined; output = this.machine.poll()) {
      if (output.kind !== 'probe') {
        this.said.push({ ...output, at: this.now });
        continue;
      }
      const { nonce, size } = output;
      this.probes.push({ at: this.now, size });
      const isLost = this.#chance() < this.loss;
      if (size > this.limit || isLost || this.#chance() < this.lossOfAnswers) continue;
      this.#flying.push({ at: after(this.now, millis(2 * this.delay)), nonce });
      this.#flying.sort((a, b) => a.at - b.at);
    }
  }

  /** A linear congruential generator (Numerical Recipes). */
  #chance(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }
}
