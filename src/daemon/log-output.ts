import { constants, fstatSync, openSync, writeSync } from 'node:fs';

/** Lines that could not be written, and the code of the error that took the last of them. */
export interface LostLines {
  readonly count: number;
  readonly code: string;
}

export function describeLost({ count, code }: LostLines): string {
  return `${count} ${count === 1 ? 'line' : 'lines'} of this log could not be written (${code})`;
}

/** Writes a part or all of `bytes`. @returns how many it took. @throws an error with a `code` if it took none */
export type WriteSome = (bytes: Uint8Array) => number;

/**
 * Where log lines go. A daemon outlives those who read its log: a reader that has gone (EPIPE) or does not keep up
 * (EAGAIN) and a full disk (ENOSPC) cost lines, never the daemon. Once lines can be written again, the first one says
 * how many were lost.
 */
export class LogOutput {
  readonly #writeSome: WriteSome;
  readonly #describe: (lost: LostLines) => string;
  #pending = new Uint8Array(0);
  #lost: LostLines = { count: 0, code: '' };

  /** `describe` makes a line of what was lost. */
  constructor(writeSome: WriteSome, describe: (lost: LostLines) => string) {
    this.#writeSome = writeSome;
    this.#describe = describe;
  }

  /** `line` ends with a line feed. */
  write(line: string): void {
    const code = this.#flush() ?? this.#begin(line);
    this.#lost = code === undefined ? { count: 0, code: '' } : { count: this.#lost.count + 1, code };
  }

  /** @returns why nothing of the line could be written. A part is: the rest goes before the next line. */
  #begin(line: string): string | undefined {
    const whole = Buffer.from(this.#lost.count === 0 ? line : this.#describe(this.#lost) + line);
    this.#pending = whole;
    const code = this.#flush();
    if (this.#pending.length < whole.length) return undefined;
    this.#pending = new Uint8Array(0);
    return code;
  }

  /** @returns why something is left */
  #flush(): string | undefined {
    try {
      while (this.#pending.length > 0) this.#pending = this.#pending.subarray(this.#writeSome(this.#pending));
      return undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      return code;
    }
  }
}

/** Writes to an open file, and to a pipe without waiting for its reader: a pager that was stopped stops no daemon. */
export function writerTo(fd: number): WriteSome {
  const file = fstatSync(fd).isFIFO() ? reopenedWithoutWaiting(fd) : fd;
  return (bytes) => writeSync(file, bytes);
}

/** O_NONBLOCK on `fd` itself would hold for all who share the pipe. */
function reopenedWithoutWaiting(fd: number): number {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // It belongs to another user, or there is no /proc: then it is written as it is.
    return fd;
  }
}
