/**
 * Many lists of small numbers, each number in one list at most, in the order in which they were added. Doubly linked
 * through two words a number: a `Set` a list would be 250 bytes, and thousands of peers have one prefix each.
 */
export class OrderedLists {
  /** For each number the one before and the one behind it in its list, or `NONE`. */
  #links = new Int32Array(32);

  /** Adds `number`, which is in no list, to the end of `list`. */
  add(list: List, number: number): void {
    if (2 * number + 1 >= this.#links.length) this.#grow(number);
    this.#link(list, list.last, number);
    this.#link(list, number, NONE);
  }

  /** Takes out `number`, which is in `list`. */
  delete(list: List, number: number): void {
    this.#link(list, this.#links[2 * number], this.#links[2 * number + 1]);
  }

  *values(list: List): Generator<number> {
    for (let number = list.first; number !== NONE; number = this.#links[2 * number + 1]) yield number;
  }

  /** Makes `before` and `behind` neighbours; `NONE` stands for the ends. */
  #link(list: List, before: number, behind: number): void {
    if (before === NONE) list.first = behind;
    else this.#links[2 * before + 1] = behind;
    if (behind === NONE) list.last = before;
    else this.#links[2 * behind] = before;
  }

  #grow(number: number): void {
    const larger = new Int32Array(4 * number + 4);
    larger.set(this.#links);
    this.#links = larger;
  }
}

const NONE = -1;

export class List {
  first = NONE;
  last = NONE;
}
