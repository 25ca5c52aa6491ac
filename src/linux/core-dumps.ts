import { NativeBuffer } from './native-buffer.ts';
import { check, libc, SystemCallError } from './syscall.ts';

const RLIMIT_CORE = 4;
const PR_SET_DUMPABLE = 4;

/**
 * Keeps the memory of this process, in which keys lie, out of core dumps, and out of reach of the debuggers of others
 * (core(5), prctl(2)). The limit alone would not do: where core dumps go to a program, it is not asked.
 * @throws SystemCallError
 */
export function forbidCoreDumps(): void {
  // Zeros: `struct rlimit` with a soft and a hard limit of 0.
  const limit = new NativeBuffer(16);
  check(libc.setrlimit(RLIMIT_CORE, limit.address), 'setrlimit', 'the size of core dumps');
  check(libc.prctl(PR_SET_DUMPABLE, 0), 'prctl', 'this process');
}

/** The same where the host may forbid it (seccomp(2)). @returns why it could not be done, if so */
export function tryToForbidCoreDumps(): string | undefined {
  try {
    forbidCoreDumps();
    return undefined;
  } catch (error) {
    if (error instanceof SystemCallError) return error.message;
    throw error;
  }
}
