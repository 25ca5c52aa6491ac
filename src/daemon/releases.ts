/**
 * What has been taken, and how each is given back: a start that fails half-way and an orderly end are the same walk
 * back. (`AsyncDisposableStack` does this in Node 24.)
 */
export class Releases {
  readonly #steps: (() => void | Promise<void>)[] = [];
  readonly #onFailure: (error: unknown) => void;
  /** How what is given back has ended. Some of it is to outlive a failure. */
  ending: 'not-started' | 'orderly' | 'failed' = 'not-started';

  /** `onFailure` is told of steps that fail; the others are taken all the same. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  add(step: () => void | Promise<void>): void {
    this.#steps.push(step);
  }

  /** Takes the steps, the last one first, each once. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        this.#onFailure(error);
      }
    }
  }
}
