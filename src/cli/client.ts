import type { Command } from 'commander';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import * as v from 'valibot';
import {
  API_PATHS,
  DEFAULT_INTERFACE,
  failureSchema,
  socketPathOf,
  statusSchema,
  type StatusDocument,
} from '../api/index.ts';
import { WiremeshError } from '../error.ts';

/** Nobody answers at the socket. */
export class NotRunningError extends WiremeshError {
  readonly code = 'NOT_RUNNING';
  constructor(socketPath: string) {
    super(`no wiremesh daemon on ${socketPath}: start one with "wiremesh up"`);
  }
}

/** A daemon holds the socket and says nothing. */
export class HangingError extends WiremeshError {
  readonly code = 'NOT_RUNNING';
  constructor(socketPath: string, seconds: number) {
    super(
      `the daemon on ${socketPath} has not answered for ${seconds} s: if it was stopped, continue it ("kill -CONT"), ` +
        'else end it ("kill -KILL") and start it anew with "wiremesh up"',
    );
  }
}

/** The daemon could not be asked, or did not do what it was asked for. */
export class DaemonError extends WiremeshError {
  readonly code = 'DAEMON';
}

/** How long a daemon may take to answer. It answers within 200 ms under any flood; taking everything down is slower. */
const ANSWER_SECONDS = { status: 5, down: 20 } as const;

/** Which daemon a command is for. */
export interface DaemonChoice {
  readonly interface?: string;
  readonly socket?: string;
}

/** Adds the flags that choose the daemon. */
export function chooseDaemon(command: Command): Command {
  return command
    .option('--interface <name>', `of the daemon that runs this interface (default: ${DEFAULT_INTERFACE})`)
    .option('--socket <path>', `of the daemon with this socket (default: ${socketPathOf('INTERFACE')})`);
}

/** Talks to one daemon. */
export class DaemonClient {
  readonly #socketPath: string;

  constructor(choice: DaemonChoice) {
    this.#socketPath = choice.socket ?? socketPathOf(choice.interface ?? DEFAULT_INTERFACE);
  }

  async status(): Promise<StatusDocument> {
    const result = v.safeParse(statusSchema, await this.#ask('status'));
    if (!result.success) {
      throw new DaemonError(`the daemon on ${this.#socketPath} is of another version: restart it after an upgrade`);
    }
    return result.output;
  }

  /** Resolves when the daemon has gone, so that another one can be started. */
  async down(): Promise<void> {
    await this.#ask('down');
    for (;;) {
      try {
        await this.#ask('status');
      } catch (error) {
        if (error instanceof NotRunningError) return;
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #ask(what: keyof typeof ANSWER_SECONDS): Promise<unknown> {
    let answer: IncomingMessage;
    let body: string;
    try {
      const [method, path] = what === 'status' ? ['GET', API_PATHS.status] : ['POST', API_PATHS.down];
      const signal = AbortSignal.timeout(ANSWER_SECONDS[what] * 1000);
      const question = request({ socketPath: this.#socketPath, method, path, agent: false, signal }).end();
      [answer] = (await once(question, 'response')) as [IncomingMessage];
      body = await text(answer);
    } catch (error) {
      if ((error as Error).name === 'AbortError') throw new HangingError(this.#socketPath, ANSWER_SECONDS[what]);
      throw this.#explain((error as NodeJS.ErrnoException).code ?? 'no answer');
    }
    if (answer.statusCode === 200) return parseJson(body);
    const failure = v.safeParse(failureSchema, parseJson(body));
    throw new DaemonError(
      `the daemon refused: ${failure.success ? failure.output.message : `HTTP ${answer.statusCode}`}`,
    );
  }

  #explain(code: string): WiremeshError {
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET')
      return new NotRunningError(this.#socketPath);
    if (code === 'EACCES') return new DaemonError(`${this.#socketPath} belongs to another user: run as root`);
    if (code.startsWith('HPE_')) {
      return new DaemonError(`what answers on ${this.#socketPath} is no wiremesh daemon: name another with --socket`);
    }
    return new DaemonError(`the daemon on ${this.#socketPath} does not answer (${code})`);
  }
}

/** @returns `undefined` where it is not JSON, which no schema takes */
function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
