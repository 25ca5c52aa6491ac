import koffi from 'koffi';
import { WiremeshError } from '../error.ts';

/**
 * The C library's functions that Node lacks, over koffi: the only file that knows of a foreign function interface.
 *
 * Pointers are declared `uintptr_t` and passed as plain numbers (user addresses stay below 2^53): that is the fastest
 * form koffi has and allocates nothing. Who passes an address keeps the `NativeBuffer` behind it alive.
 */
interface Libc {
  open(path: string, flags: number): number;
  close(fd: number): number;
  read(fd: number, address: number, length: number): number;
  write(fd: number, address: number, length: number): number;
  writev(fd: number, pieces: number, count: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  getsockname(fd: number, address: number, lengthAddress: number): number;
  // The C library's own parameters; a table of declarations, not a function of ours.

  setsockopt(fd: number, level: number, option: number, address: number, length: number): number;

  getsockopt(fd: number, level: number, option: number, address: number, lengthAddress: number): number;

  sendto(fd: number, address: number, length: number, flags: number, to: number, toLength: number): number;
  recvmsg(fd: number, message: number, flags: number): number;
  sendmsg(fd: number, message: number, flags: number): number;
  // The name of the system call, for errors, is `epoll_create1`; the rest likewise.
  epoll_create1(flags: number): number;
  epoll_ctl(fd: number, operation: number, target: number, event: number): number;
  epoll_wait(fd: number, events: number, capacity: number, timeout: number): number;
  clock_gettime(clock: number, time: number): number;
  eventfd(value: number, flags: number): number;
  flock(fd: number, operation: number): number;
  setns(fd: number, type: number): number;
  unshare(flags: number): number;
  setrlimit(resource: number, limit: number): number;
  prctl(operation: number, argument: number): number;
  sched_setscheduler(thread: number, policy: number, parameters: number): number;
  bpf(command: number, attributes: number, length: number): number;
}

/** Results are declared `int` although some are `ssize_t`: none of ours is longer than 2^31. */
const SIGNATURES: Record<Exclude<keyof Libc, 'bpf'>, string> = {
  open: 'int open(const char *, int)',
  close: 'int close(int)',
  read: 'int read(int, uintptr_t, size_t)',
  write: 'int write(int, uintptr_t, size_t)',
  writev: 'int writev(int, uintptr_t, int)',
  ioctl: 'int ioctl(int, unsigned long, uintptr_t)',
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, uintptr_t, uint32_t)',
  getsockname: 'int getsockname(int, uintptr_t, uintptr_t)',
  setsockopt: 'int setsockopt(int, int, int, uintptr_t, uint32_t)',
  getsockopt: 'int getsockopt(int, int, int, uintptr_t, uintptr_t)',
  sendto: 'int sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)',
  recvmsg: 'int recvmsg(int, uintptr_t, int)',
  sendmsg: 'int sendmsg(int, uintptr_t, int)',
  epoll_create1: 'int epoll_create1(int)',
  epoll_ctl: 'int epoll_ctl(int, int, int, uintptr_t)',
  epoll_wait: 'int epoll_wait(int, uintptr_t, int, int)',
  clock_gettime: 'int clock_gettime(int, uintptr_t)',
  eventfd: 'int eventfd(unsigned int, int)',
  flock: 'int flock(int, int)',
  setns: 'int setns(int, int)',
  unshare: 'int unshare(int)',
  setrlimit: 'int setrlimit(int, uintptr_t)',
  prctl: 'int prctl(int, unsigned long)',
  sched_setscheduler: 'int sched_setscheduler(int, int, uintptr_t)',
};

/** Errors that mean the same wherever they come from, and what to do about them. */
const ADVICE: Readonly<Record<string, string>> = {
  EPERM: 'run as root or with CAP_NET_ADMIN',
  EACCES: 'run as root or with CAP_NET_ADMIN',
  EMFILE: 'raise the limit of open files (ulimit -n)',
  EAFNOSUPPORT: 'the kernel was built or started without this protocol',
};

/** A system call failed. `errno` is its symbolic name, `EADDRINUSE`, say; `subject` what it was done to. */
export class SystemCallError extends WiremeshError {
  readonly code = 'SYSTEM_CALL';
  readonly call: string;
  readonly errno: string;
  readonly subject: string;

  constructor(call: string, errno: string, subject: string, advice = ADVICE[errno]) {
    super(`${call} on ${subject} failed: ${errno}${advice === undefined ? '' : ` (${advice})`}`);
    this.call = call;
    this.errno = errno;
    this.subject = subject;
  }
}

/** This machine, or this build of Node, is none that the calls of this folder can be made on. */
export class PlatformError extends WiremeshError {
  readonly code = 'PLATFORM';
}

function loadLibc(): Libc {
  // The structures of this folder are laid out for 64-bit little-endian Linux: x86-64 and arm64.
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new PlatformError(`${process.platform} on ${process.arch} is not supported: use Linux on x86-64 or arm64`);
  }
  try {
    const library = koffi.load(null);
    const entries = Object.entries(SIGNATURES).map(([name, signature]) => [name, library.func(signature)] as const);
    // The C library has no name for it.
    const syscall = library.func('long syscall(long, int, uintptr_t, uint32_t)');
    const bpf = (command: number, attributes: number, length: number): number =>
      Number(syscall(process.arch === 'x64' ? 321 : 280, command, attributes, length));
    return { ...Object.fromEntries(entries), bpf } as unknown as Libc;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PlatformError(`the C library cannot be reached from Node (${why}): use a Node from nodejs.org or npm`);
  }
}

/** Calls answer like their C namesakes: a negative number is an error, which `lastErrno` then tells. */
export const libc: Libc = loadLibc();

/** The numbers of the errors that are answers rather than failures somewhere. */
export const {
  EADDRNOTAVAIL,
  EAGAIN,
  EBADF,
  EFAULT,
  EINTR,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENETUNREACH,
  ENOBUFS,
  ENODEV,
  ENOTSOCK,
} = koffi.os.errno;

// Of two names for one number (EAGAIN, EWOULDBLOCK) the first stays.
const NAMES = new Map(
  Object.entries(koffi.os.errno)
    .map(([name, number]) => [number, name] as const)
    .reverse(),
);

/** The error of the last call of `libc` on this thread. Ask before anything else is called. */
export function lastErrno(): number {
  return koffi.errno();
}

/** `EADDRINUSE` for 98. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** @returns `result`. @throws SystemCallError if it is negative */
export function check(result: number, call: keyof Libc, subject: string): number {
  if (result < 0) throw new SystemCallError(call, errnoName(lastErrno()), subject);
  return result;
}

/** Where `memory` lies. It stays there for as long as it is referenced: memory of an `ArrayBuffer` is not moved. */
export function addressOf(memory: ArrayBuffer): number {
  return Number(koffi.address(memory));
}

/** Runs `configure` on a descriptor just opened, and closes that again if it throws. */
export function closedOnFailure<T>(fd: number, configure: (fd: number) => T): T {
  try {
    return configure(fd);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Calls `onReadable` in the event loop of Node whenever `fd` can be read. Close the watch before the descriptor. */
export function watchReadable(fd: number, onReadable: () => void): { close(): void } {
  return koffi.node.poll(fd, { readable: true }, onReadable);
}
