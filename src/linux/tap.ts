import { interfaceName } from './interface-name.ts';
import { NativeBuffer } from './native-buffer.ts';
import { check, closedOnFailure, EAGAIN, EINTR, EIO, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';
import { ownTun } from './tun-owner.ts';

const PATH = '/dev/net/tun';
const O_RDWR_NONBLOCK_CLOEXEC = 0x2 | 0x800 | 0x80000;
/** `struct ifreq`, in bytes. */
const IFREQ = { flags: 16, end: 40 } as const;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const TUNSETIFF = 0x400454ca;
/** Linux 5.0. */
const TUNSETCARRIER = 0x400454e2;

/**
 * A TAP device: Ethernet frames, without a virtio header, so that the kernel hands out whole frames with checksums. It is
 * made in the namespace of the calling thread, may be moved, and is gone when it is closed.
 */
export class Tap {
  readonly name: string;
  readonly #carrier = new NativeBuffer(4);
  #fd: number;

  /** @throws InterfaceNameError, SystemCallError */
  constructor(name: string) {
    this.name = interfaceName(name);
    this.#fd = closedOnFailure(check(libc.open(PATH, O_RDWR_NONBLOCK_CLOEXEC), 'open', PATH), (fd) => {
      const request = new NativeBuffer(IFREQ.end);
      new TextEncoder().encodeInto(name, request.bytes);
      request.view.setUint16(IFREQ.flags, IFF_TAP | IFF_NO_PI, true);
      check(libc.ioctl(fd, TUNSETIFF, request.address), 'ioctl', `TAP device ${name}`);
      ownTun(fd, name);
      return fd;
    });
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Reads one frame. @returns its length, or 0 when there is none. @throws SystemCallError */
  read(buffer: NativeBuffer): number {
    const length = libc.read(this.#fd, buffer.address, buffer.bytes.length);
    if (length >= 0) return length;
    const errno = lastErrno();
    if (errno === EAGAIN || errno === EINTR) return 0;
    throw new SystemCallError('read', errnoName(errno), `TAP device ${this.name}`);
  }

  /** Writes a frame of `length` bytes. @returns whether the device took it: one that is down does not */
  write(buffer: NativeBuffer, length: number): boolean {
    if (libc.write(this.#fd, buffer.address, length) >= 0) return true;
    const errno = lastErrno();
    if (errno === EIO || errno === EAGAIN || errno === EINTR) return false;
    throw new SystemCallError('write', errnoName(errno), `TAP device ${this.name}`);
  }

  /** Plugs the cable in, or pulls it, as the host sees it. @throws SystemCallError */
  setCarrier(plugged: boolean): void {
    this.#carrier.view.setUint32(0, Number(plugged), true);
    check(libc.ioctl(this.#fd, TUNSETCARRIER, this.#carrier.address), 'ioctl', `TAP device ${this.name}`);
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
