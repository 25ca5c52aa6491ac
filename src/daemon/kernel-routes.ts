/** Keeps the kernel's routes as a Babel speaker says they are to be. */
import { formatPrefix, type Prefix } from '../inet/index.ts';
import type { SpeakerOutput } from '../babel/index.ts';
import { addRoute, addUnreachable, deleteAnyRoute, runIpLines, type IpCommandError } from '../linux/index.ts';

export type RouteOutput = Exclude<SpeakerOutput, { readonly kind: 'send' }>;

export class KernelRoutes {
  readonly #onError: (error: IpCommandError) => void;
  /** What is yet to be done, by prefix: of what was wished for one prefix only the last counts. */
  #waiting = new Map<string, { readonly line: string; readonly isInstalled: boolean; readonly prefix: Prefix }>();
  readonly #installed = new Map<string, Prefix>();
  #working: Promise<void> | undefined;

  /** `onError` hears of routes that the kernel would not take, or no longer had. */
  constructor(onError: (error: IpCommandError) => void) {
    this.#onError = onError;
  }

  apply(output: RouteOutput): void {
    const { prefix } = output;
    this.#wish(prefix, lineFor(output), output.kind !== 'route-removed');
  }

  /** Removes what was installed. */
  async close(): Promise<void> {
    await this.#working;
    for (const prefix of this.#installed.values()) this.#wish(prefix, deleteAnyRoute(prefix), false);
    await this.#working;
  }

  #wish(prefix: Prefix, line: string, isInstalled: boolean): void {
    this.#waiting.set(formatPrefix(prefix), { line, isInstalled, prefix });
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  async #work(): Promise<void> {
    while (this.#waiting.size > 0) {
      // Others that come in the same moment go into the same batch.
      await Promise.resolve();
      const batch = this.#waiting;
      this.#waiting = new Map();
      for (const [key, { prefix, isInstalled }] of batch) {
        if (isInstalled) this.#installed.set(key, prefix);
        else this.#installed.delete(key);
      }
      // A link that has gone took its routes along, and a line that says so again fails.
      await runIpLines(
        Array.from(batch.values(), ({ line }) => line),
        this.#onError,
      );
    }
  }
}

function lineFor(output: RouteOutput): string {
  if (output.kind === 'route-removed') return deleteAnyRoute(output.prefix);
  if (output.kind === 'route-unreachable') return addUnreachable(output.prefix);
  return addRoute(output.prefix, output.interface, output.nextHop);
}
