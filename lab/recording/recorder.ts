/** Records what leaves the nodes of a lab, by which interface, into one pcapng file, in a thread of its own. */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EventFd } from '../../src/linux/index.ts';
import { LabError } from '../lab-error.ts';
import type { RecorderAnswer, RecorderPlan } from './recorder-thread.ts';

export class Recorder {
  readonly #worker: Worker;
  readonly #wake = new EventFd();
  readonly #exited: Promise<unknown>;
  #failure: LabError | undefined;
  #lost = 0;

  /** Resolves when nothing is missed any more. @throws LabError */
  static async start(file: string, nodes: RecorderPlan['nodes']): Promise<Recorder> {
    const recorder = new Recorder(file, nodes);
    const [answer] = (await once(recorder.#worker, 'message')) as [RecorderAnswer];
    if (answer.kind === 'failed') throw recorder.#failure;
    return recorder;
  }

  private constructor(file: string, nodes: RecorderPlan['nodes']) {
    const thread = new URL(`recorder-thread${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(thread, { workerData: { file, nodes, wakeFd: this.#wake.fd } satisfies RecorderPlan });
    this.#exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.on('message', (answer: RecorderAnswer) => {
      if (answer.kind === 'stopped') this.#lost = answer.lost;
      if (answer.kind === 'failed') this.#failure = new LabError(`the capture failed: ${answer.message}`);
    });
  }

  /** Resolves when all is in the file. @returns how many frames were missed. @throws LabError */
  async stop(): Promise<number> {
    this.#worker.postMessage('stop');
    this.#wake.signal();
    await this.#exited;
    this.#wake.close();
    if (this.#failure !== undefined) throw this.#failure;
    return this.#lost;
  }
}
