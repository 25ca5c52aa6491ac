/**
 * Leaves a direct path alone that keeps coming and going, as routers damp routes that flap (RFC 2439 §4): each change costs
 * traffic that is under way, and a relay carries it meanwhile. Who has no relay tries on, and the user is told as well.
 */
import { after, millis, seconds, type Millis } from '../machine/index.ts';

/** A change adds 1 to the figure of merit (RFC 2439 §2.2), which falls by half in this time. */
const HALF_LIFE = seconds(90);
/** Above this a path is unstable: more than three changes within a short time. */
const CUTOFF = 3;
/** Below this it is stable again. */
const REUSE = 1.5;
/** However often it has changed: it is left alone for less than four minutes after the last change. */
const CEILING = 8;

export class PathDamping {
  #merit = 0;
  #changedAt = millis(0);
  #isCut = false;

  /**
   * The path has come up or is lost.
   * @returns whether it has become unstable by that
   */
  handleChange(now: Millis): boolean {
    const wasUnstable = this.isUnstable(now);
    this.#merit = Math.min(CEILING, this.#meritAt(now) + 1);
    this.#changedAt = now;
    this.#isCut = wasUnstable || this.#merit > CUTOFF;
    return this.#isCut && !wasUnstable;
  }

  isUnstable(now: Millis): boolean {
    return this.#isCut && this.#meritAt(now) >= REUSE;
  }

  /** When the path will be stable again, if it does not change before; in the past if it is stable. */
  get stableAt(): Millis {
    if (!this.#isCut) return millis(-Infinity);
    return after(this.#changedAt, millis(Math.max(0, HALF_LIFE * Math.log2(this.#merit / REUSE))));
  }

  #meritAt(now: Millis): number {
    return this.#merit * 2 ** ((this.#changedAt - now) / HALF_LIFE);
  }
}
