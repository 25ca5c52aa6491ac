/**
 * Runs several threads' code in every order that their atomic steps can take. It is the code itself that runs, not a
 * model of it: between two atomic operations a thread can neither be seen nor see others, so that it is enough to
 * choose, again and again, whose next operation happens. A thread that was left in the middle is run again from its
 * start, with the results that its operations had; so its code must depend on nothing but them.
 */

/** When a call of a thread began and ended, in atomic steps of all threads. */
export interface Call<Result> {
  readonly thread: number;
  readonly result: Result;
  readonly beganAt: number;
  readonly endedAt: number;
}

/** What a thread does, one call after the other. */
export type ThreadForTesting<Result> = readonly (() => Result)[];

const PAUSED = Symbol('the next atomic operation is not due yet');
const OPERATIONS = ['load', 'store', 'add', 'exchange', 'compareExchange'] as const;
type Operation = (lanes: Uint32Array, lane: number, ...values: number[]) => number;

/** An atomic operation that has happened. */
interface Step {
  readonly result: number;
  readonly at: number;
}

class Explorer<Result> {
  readonly #threads: readonly ThreadForTesting<Result>[];
  readonly #check: (calls: readonly Call<Result>[]) => void;
  readonly #steps: Step[][];
  readonly #calls: (readonly Call<Result>[] | undefined)[];
  /** Of the thread that runs: which one, and how many operations it has done in this run. */
  #thread = 0;
  #done = 0;
  #mayStep = false;
  #isChecking = false;
  #undo: () => void = () => {};
  #time = 0;
  count = 0;

  constructor(threads: readonly ThreadForTesting<Result>[], check: (calls: readonly Call<Result>[]) => void) {
    this.#threads = threads;
    this.#check = check;
    this.#steps = threads.map(() => []);
    this.#calls = threads.map(() => undefined);
  }

  explore(): void {
    let isOver = true;
    for (let thread = 0; thread < this.#threads.length; thread++) {
      if (this.#calls[thread] !== undefined) continue;
      isOver = false;
      this.#step(thread);
    }
    if (!isOver) return;
    this.count++;
    this.#isChecking = true;
    this.#check(this.#calls.flatMap((calls) => calls ?? []));
    this.#isChecking = false;
  }

  operate(operation: Operation, lanes: Uint32Array, lane: number, values: readonly number[]): number {
    if (this.#isChecking) return operation(lanes, lane, ...values);
    const steps = this.#steps[this.#thread];
    if (this.#done < steps.length) return steps[this.#done++].result;
    if (!this.#mayStep) throw PAUSED;
    this.#mayStep = false;
    const before = lanes[lane];
    this.#undo = () => (lanes[lane] = before);
    const result = operation(lanes, lane, ...values);
    steps.push({ result, at: this.#time });
    this.#done++;
    return result;
  }

  /** Lets `thread` do one operation, explores what can follow, and takes it back. */
  #step(thread: number): void {
    this.#thread = thread;
    this.#done = 0;
    this.#mayStep = true;
    this.#time++;
    this.#undo = () => {};
    const steps = this.#steps[thread];
    const length = steps.length;
    this.#calls[thread] = this.#run(thread);
    const undo = this.#undo;
    this.explore();
    undo();
    steps.length = length;
    this.#calls[thread] = undefined;
    this.#time--;
  }

  /** @returns the calls of `thread`, if it came to its end */
  #run(thread: number): readonly Call<Result>[] | undefined {
    const steps = this.#steps[thread];
    try {
      return this.#threads[thread].map((call) => {
        const first = this.#done;
        const result = call();
        return { thread, result, beganAt: steps[first]?.at ?? 0, endedAt: steps[this.#done - 1]?.at ?? 0 };
      });
    } catch (error) {
      if (error !== PAUSED) throw error;
      return undefined;
    }
  }
}

/**
 * Calls `check` with the calls of all threads after each order; it must leave what is shared as it is. @returns how many
 * orders there are
 */
export function exploreInterleavings<Result>(
  threads: readonly ThreadForTesting<Result>[],
  check: (calls: readonly Call<Result>[]) => void,
): number {
  const explorer = new Explorer(threads, check);
  const atomics = Atomics as unknown as Record<(typeof OPERATIONS)[number], Operation>;
  const originals = OPERATIONS.map((name) => [name, atomics[name]] as const);
  for (const [name, original] of originals) {
    atomics[name] = (lanes, lane, ...values) => explorer.operate(original, lanes, lane, values);
  }
  try {
    explorer.explore();
  } finally {
    for (const [name, original] of originals) atomics[name] = original;
  }
  return explorer.count;
}
