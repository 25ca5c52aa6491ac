import { check, EAGAIN, lastErrno, libc } from './syscall.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Locks an open file or directory against every other process (flock(2)). The lock goes with the descriptor, so it
 * outlives no process, however that ends.
 * @returns whether it was free. @throws SystemCallError
 */
export function lockFile(fd: number): boolean {
  const result = libc.flock(fd, LOCK_EX | LOCK_NB);
  if (result < 0 && lastErrno() === EAGAIN) return false;
  check(result, 'flock', 'a lock');
  return true;
}
