import { BASE_MTU, sizesBetween } from './sizes.ts';

/**
 * Which length to try next. The longest comes first, since most paths carry it; then the one that every path should
 * carry; then always the middle of those that are left (RFC 8899 §5.3).
 */
export class Search {
  readonly #longest: number;
  /** The longest that has passed, 0 if none has; the shortest that has not. */
  #passes: number;
  #fails: number;
  /** The length to try before all others. */
  #first: number | undefined;

  /** `passes`: known to pass; `fails`: known not to; `first`: what passed when this path was in use before. */
  constructor(longest: number, known: { passes?: number; fails?: number; first?: number | undefined } = {}) {
    this.#longest = longest;
    this.#passes = known.passes ?? 0;
    this.#fails = known.fails ?? longest + 1;
    this.#first = known.first;
  }

  /** The longest that has passed, 0 if none has. */
  get passes(): number {
    return this.#passes;
  }

  /** The length to try now; `undefined` when the search has ended. */
  get next(): number | undefined {
    if (this.#first !== undefined && this.#first > this.#passes && this.#first < this.#fails) return this.#first;
    if (this.#fails > this.#longest) return this.#passes < this.#longest ? this.#longest : undefined;
    if (this.#passes === 0 && BASE_MTU < this.#fails) return BASE_MTU;
    const left = sizesBetween(this.#passes, this.#fails);
    return left.at(Math.floor(left.length / 2));
  }

  /** What passed before is not searched beyond: that is for later. */
  handlePass(size: number): void {
    if (size <= this.#passes) return;
    this.#passes = size;
    if (this.#fails <= size) this.#fails = this.#longest + 1;
    if (size === this.#first) this.#fails = size + 1;
  }

  handleFail(size: number): void {
    if (size < this.#fails && size > this.#passes) this.#fails = size;
    if (size === this.#first) this.#first = undefined;
  }
}
