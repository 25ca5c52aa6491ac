import { NativeBuffer } from './native-buffer.ts';
import { check, EINTR, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const EPOLL_CLOEXEC = 0x80000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;

/** `struct epoll_event` is packed on x86-64 and nowhere else (epoll_ctl(2)). */
const EVENT = process.arch === 'x64' ? { key: 4, end: 12 } : { key: 8, end: 16 };

const CAPACITY = 64;

/** Waits for many descriptors at once, level-triggered (epoll(7)). A descriptor leaves the set when it is closed. */
export class Epoll {
  readonly #events = new NativeBuffer(CAPACITY * EVENT.end);
  readonly #change = new NativeBuffer(EVENT.end);
  #fd = check(libc.epoll_create1(EPOLL_CLOEXEC), 'epoll_create1', 'a new descriptor');

  /** `key`, from 0 to 2^32 - 1, is what `key(index)` answers when `fd` is ready. */
  add(fd: number, key: number, events = EPOLLIN): void {
    this.#control(EPOLL_CTL_ADD, fd, key, events);
  }

  modify(fd: number, key: number, events: number): void {
    this.#control(EPOLL_CTL_MOD, fd, key, events);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /** Blocks the thread for up to `timeout` milliseconds, without end if that is -1. @returns how many are ready */
  wait(timeout: number): number {
    const ready = libc.epoll_wait(this.#fd, this.#events.address, CAPACITY, timeout);
    if (ready >= 0) return ready;
    const errno = lastErrno();
    if (errno === EINTR) return 0;
    throw new SystemCallError('epoll_wait', errnoName(errno), 'an epoll set');
  }

  key(index: number): number {
    return this.#events.view.getUint32(index * EVENT.end + EVENT.key, true);
  }

  /** `EPOLLIN`, `EPOLLOUT`, `EPOLLERR`, `EPOLLHUP`, or-ed. */
  events(index: number): number {
    return this.#events.view.getUint32(index * EVENT.end, true);
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }

  #control(operation: number, fd: number, key: number, events: number): void {
    this.#change.view.setUint32(0, events, true);
    this.#change.view.setUint32(EVENT.key, key, true);
    check(libc.epoll_ctl(this.#fd, operation, fd, this.#change.address), 'epoll_ctl', `descriptor ${fd}`);
  }
}
