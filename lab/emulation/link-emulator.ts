/**
 * Links that the lab makes itself, where the kernel may lack netem: each end is a TAP device in its node's namespace, and
 * a thread carries frames between them (direction.ts says when). One thread for all links: frames of a whole lab are few,
 * and with this process the devices go too, however it ends.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EventFd } from '../../src/linux/index.ts';
import { LabError } from '../lab-error.ts';
import type { EmulatorAnswer, EmulatorPlan, EmulatorRequest } from './emulator-messages.ts';

export class LinkEmulator {
  readonly #worker: Worker;
  readonly #wake = new EventFd();
  readonly #exited: Promise<unknown>;
  /** Who waits for the next answer. */
  #waiting: { resolve(): void; reject(error: Error): void } | undefined;
  #failure: LabError | undefined;

  /** Makes the interfaces. @throws LabError */
  static async start(plan: Omit<EmulatorPlan, 'wakeFd'>): Promise<LinkEmulator> {
    const emulator = new LinkEmulator(plan);
    await emulator.#answer();
    return emulator;
  }

  private constructor(plan: Omit<EmulatorPlan, 'wakeFd'>) {
    const thread = new URL(`emulator-thread${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(thread, { workerData: { ...plan, wakeFd: this.#wake.fd } satisfies EmulatorPlan });
    this.#exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.on('error', (error) => this.#fail(error.message));
    this.#worker.on('message', (answer: EmulatorAnswer) => {
      if (answer.kind === 'failed') this.#fail(answer.message);
      else this.#waiting?.resolve();
    });
  }

  /** Carries out one change, and resolves when it is in force. Not to be called before the last one has. */
  async change(request: EmulatorRequest): Promise<void> {
    const answered = this.#answer();
    this.#worker.postMessage(request);
    this.#wake.signal();
    await answered;
  }

  /** @throws LabError if frames are not carried any more */
  requireHealth(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  async stop(): Promise<void> {
    this.#worker.postMessage({ kind: 'stop' } satisfies EmulatorRequest);
    this.#wake.signal();
    await this.#exited;
    this.#wake.close();
  }

  #answer(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) reject(this.#failure);
      this.#waiting = { resolve, reject };
    });
  }

  #fail(why: string): void {
    this.#failure = new LabError(`the emulation of links failed: ${why}`);
    this.#waiting?.reject(this.#failure);
  }
}
