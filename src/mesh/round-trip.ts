import { millis, seconds, type Millis } from '../machine/index.ts';

/** Before there is a sample (RFC 6298 §2.1). */
const INITIAL_PATIENCE = seconds(1);
/** Both ends may be short of a processor for a moment. */
const MIN_VARIATION = millis(100);
/** Beyond that a path is of no use to TCP either. */
const MAX_PATIENCE = seconds(5);
/** RFC 6298 §2: alpha, beta, K. */
const SMOOTHED_WEIGHT = 1 / 8;
const VARIATION_WEIGHT = 1 / 4;
const VARIATIONS = 4;

/** The round trip of one path, and how long an answer may take, as TCP estimates both (RFC 6298 §2). */
export class RoundTrip {
  readonly #bound: Millis;
  #smoothed: number | undefined;
  #variation = 0;

  /** `bound`: the round trip is no longer than that, as far as is known before the first sample. */
  constructor(bound: Millis) {
    this.#bound = bound;
  }

  get smoothed(): Millis | undefined {
    return this.#smoothed === undefined ? undefined : millis(this.#smoothed);
  }

  handleSample(sample: Millis): void {
    if (this.#smoothed === undefined) {
      this.#smoothed = sample;
      this.#variation = sample / 2;
      return;
    }
    this.#variation += VARIATION_WEIGHT * (Math.abs(this.#smoothed - sample) - this.#variation);
    this.#smoothed += SMOOTHED_WEIGHT * (sample - this.#smoothed);
  }

  /** Who waits for so long will hardly get an answer any more. */
  patience(): Millis {
    const patience =
      this.#smoothed === undefined
        ? Math.max(INITIAL_PATIENCE, 2 * this.#bound)
        : this.#smoothed + Math.max(MIN_VARIATION, VARIATIONS * this.#variation);
    return millis(Math.min(MAX_PATIENCE, patience));
  }
}
