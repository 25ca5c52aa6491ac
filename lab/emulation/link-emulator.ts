/**
 * Links that the lab makes itself, where the kernel may lack netem: each end is a TAP device in its node's namespace, and
 * a thread carries frames between them (direction.ts says when). One thread for all links: frames of a whole lab are few,
 * and with this process the devices go too, however it ends.
 */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EventFd } from '../../src/linux/index.ts';
import { LabError } from '../lab-error.ts';
import type { EmulatorAnswer, EmulatorPlan, EmulatorRequest } from './emulator-messages.ts';

export class LinkEmulator {
  readonly #worker: Worker;
  readonly #wake: EventFd;
  #failure: Error | undefined;

  /** Makes the interfaces. @throws LabError */
  static async start(plan: Omit<EmulatorPlan, 'wakeFd'>): Promise<LinkEmulator> {
    const emulator = new LinkEmulator(plan);
    await emulator.#answer();
    return emulator;
  }

  private constructor(plan: Omit<EmulatorPlan, 'wakeFd'>) {
    this.#wake = new EventFd();
    const thread = new URL(`emulator-thread${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(thread, { workerData: { ...plan, wakeFd: this.#wake.fd } satisfies EmulatorPlan });
    this.#worker.on('error', (error) => (this.#failure = error));
  }

  /** Carries out one change, and resolves when it is in force. Not to be called before the last one has. */
  async change(request: EmulatorRequest): Promise<void> {
    const answered = this.#answer();
    this.#worker.postMessage(request);
    this.#wake.signal();
    await answered;
  }

  async stop(): Promise<void> {
    const exited = once(this.#worker, 'exit');
    this.#worker.postMessage({ kind: 'stop' } satisfies EmulatorRequest);
    this.#wake.signal();
    await exited;
    this.#wake.close();
  }

  async #answer(): Promise<void> {
    if (this.#failure !== undefined) throw new LabError(`the emulation of links failed: ${this.#failure.message}`);
    const [message] = (await once(this.#worker, 'message')) as [EmulatorAnswer];
    if (message.kind === 'failed') throw new LabError(`the emulation of links failed: ${message.message}`);
  }
}
