import { NativeBuffer } from './native-buffer.ts';
import { check, EAGAIN, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const EFD_NONBLOCK = 0x800;
const EFD_CLOEXEC = 0x80000;

/** One thread wakes another that waits in `epoll_wait` (eventfd(2)): the one signals, the other drains. */
export class EventFd {
  readonly #count = new NativeBuffer(8);
  readonly #isOwner: boolean;
  #fd: number;

  constructor(borrowed?: number) {
    this.#isOwner = borrowed === undefined;
    this.#fd = borrowed ?? check(libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), 'eventfd', 'a new descriptor');
  }

  /** The other thread's end of an eventfd. Closing it leaves the descriptor to the thread that made it. */
  static of(fd: number): EventFd {
    return new EventFd(fd);
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  signal(): void {
    this.#count.view.setUint32(0, 1, true);
    this.#count.view.setUint32(4, 0, true);
    // The counter is full after 2^64 - 2 signals nobody drained; the other side is awake then.
    if (libc.write(this.#fd, this.#count.address, 8) < 0 && lastErrno() !== EAGAIN) this.#fail('write');
  }

  drain(): void {
    if (libc.read(this.#fd, this.#count.address, 8) < 0 && lastErrno() !== EAGAIN) this.#fail('read');
  }

  close(): void {
    if (this.#fd >= 0 && this.#isOwner) libc.close(this.#fd);
    this.#fd = -1;
  }

  #fail(call: string): never {
    throw new SystemCallError(call, errnoName(lastErrno()), 'an eventfd');
  }
}
