import { NativeBuffer } from './native-buffer.ts';
import { check, libc } from './syscall.ts';

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
