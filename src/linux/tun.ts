import { WiremeshError } from '../error.ts';
import { steerFlows } from './flow-steering.ts';
import { interfaceName } from './interface-name.ts';
import { listLinks } from './link-monitor.ts';
import { NativeBuffer, setPointer } from './native-buffer.ts';
import { inNamespace } from './netns.ts';
import { check, closedOnFailure, EAGAIN, EINTR, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';
import { ownTun } from './tun-owner.ts';

/** What the kernel may hand us, and we it, undone: checksums, TCP segmentation, UDP segmentation. */
export interface TunOffloads {
  readonly checksum: boolean;
  readonly tso: boolean;
  readonly uso: boolean;
}

/** A TUN device: IP packets, each behind a virtio header of 10 bytes (`VIRTIO_HEADER_BYTES` of src/packet). */
export interface Tun {
  /** -1 once closed. */
  readonly fd: number;
  readonly name: string;
  readonly offloads: TunOffloads;
  /**
   * Reads one packet with its virtio header. @returns its length, or 0 when it would block
   * @throws SystemCallError, with `EBADFD` when the device is gone
   */
  read(buffer: NativeBuffer): number;
  /** Writes the first `count` pieces as one packet with its header. @returns whether the kernel took it */
  write(pieces: PieceList, count: number): boolean;
  close(): void;
}

/** Memory to be gathered by one `writev`: a `struct iovec[]`, allocated once. */
export class PieceList {
  readonly capacity: number;
  readonly address: number;
  readonly #pieces: NativeBuffer;

  constructor(capacity: number) {
    this.#pieces = new NativeBuffer(capacity * 16);
    this.capacity = capacity;
    this.address = this.#pieces.address;
  }

  /** The caller keeps the memory at `address` alive. */
  set(index: number, address: number, length: number): void {
    const { view } = this.#pieces;
    setPointer(view, index * 16, address);
    view.setUint32(index * 16 + 8, length, true);
  }
}

/** The device cannot be opened; the message says why and what to do. */
export class TunError extends WiremeshError {
  readonly code = 'TUN';
}

const PATH = '/dev/net/tun';
const O_RDWR_NONBLOCK_CLOEXEC = 0x2 | 0x800 | 0x80000;

/** `struct ifreq`, in bytes. */
const IFREQ = { name: 0, flags: 16, end: 40 } as const;
const IFF_TUN = 0x0001;
const IFF_MULTI_QUEUE = 0x0100;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;

const TUNSETIFF = 0x400454ca;
const TUNGETIFF = 0x800454d2;
const TUNGETDEVNETNS = 0x54e3;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
const VIRTIO_HEADER_BYTES = 10;

const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO6 = 0x04;
const TUN_F_USO4 = 0x20;
const TUN_F_USO6 = 0x40;

/** Best first. Without TUN_F_TSO_ECN: the kernel then cuts the rare segment with CWR itself, as RFC 3168 §6.1.2 wants. */
const OFFLOADS: readonly (readonly [flags: number, offloads: TunOffloads])[] = [
  [TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6, { checksum: true, tso: true, uso: true }],
  [TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, { checksum: true, tso: true, uso: false }], // before Linux 6.2
  [0, { checksum: false, tso: false, uso: false }],
];

/**
 * Opens the TUN device `name`, which may hold `%d` for a free number. The device is gone when it is closed.
 * @throws InterfaceNameError, TunError, SystemCallError
 */
export function openTun(name: string): Tun {
  return openQueue(name, 0);
}

/**
 * Opens the TUN device `name` with several queues. A flow of the host stays in one of them (`steerFlows`), and what is
 * written to any of them reaches the host. The device is gone when all are closed.
 * @throws InterfaceNameError, TunError, SystemCallError
 */
export function openTunQueues(name: string, count: number): readonly Tun[] {
  // Without IFF_TUN_EXCL the kernel would give us queues of another program's device.
  const queues = [openQueue(name, IFF_MULTI_QUEUE | IFF_TUN_EXCL)];
  try {
    requireAlone(queues[0].name);
    while (queues.length < count) queues.push(openQueue(queues[0].name, IFF_MULTI_QUEUE));
    steerFlows(queues[0].fd, count);
  } catch (error) {
    for (const queue of queues) queue.close();
    throw error;
  }
  return queues;
}

/** A queue that another thread has opened. It stays with that thread: `close` is for that to call. */
export function tunOf({ fd, name, offloads }: Pick<Tun, 'fd' | 'name' | 'offloads'>): Tun {
  return new LinuxTun(fd, name, offloads);
}

function openQueue(name: string, flags: number): Tun {
  interfaceName(name.replace('%d', '00'));
  return closedOnFailure(openCloneDevice(), (fd) => {
    const actualName = attach(fd, name, flags);
    // First of all: until then the device is anybody's.
    ownTun(fd, actualName);
    const size = new NativeBuffer(4);
    size.view.setUint32(0, VIRTIO_HEADER_BYTES, true);
    check(libc.ioctl(fd, TUNSETVNETHDRSZ, size.address), 'ioctl', `TUN device ${actualName}`);
    return new LinuxTun(fd, actualName, chooseOffloads(fd, actualName));
  });
}

/**
 * Between the making of a device and the setting of its owner another user may have got hold of a queue, which stays his.
 * @throws TunError
 */
function requireAlone(name: string): void {
  const queues = listLinks().find((link) => link.name === name)?.tunQueues ?? 1;
  if (queues === 1) return;
  throw new TunError(
    `another user attached to ${name} while it was made: end the program that tries to ("lsof ${PATH}"), then try again`,
  );
}

/** What the host calls the device now, wherever it is, or `undefined` when it has been deleted. */
export function currentName({ fd }: Tun): string | undefined {
  const request = new NativeBuffer(IFREQ.end);
  return libc.ioctl(fd, TUNGETIFF, request.address) < 0 ? undefined : nameIn(request);
}

/**
 * Calls `open` with the calling thread in the network namespace that the device is in now, as `inNamespace` does: a
 * device can be moved from that it was opened in. Needs CAP_SYS_ADMIN, and Linux 5.2. @throws SystemCallError
 */
export function inNamespaceOf<T>({ fd, name }: Tun, open: () => T): T {
  const namespace = check(libc.ioctl(fd, TUNGETDEVNETNS, 0), 'ioctl', `TUN device ${name}`);
  try {
    return inNamespace(`/proc/thread-self/fd/${namespace}`, open);
  } finally {
    libc.close(namespace);
  }
}

function openCloneDevice(): number {
  const fd = libc.open(PATH, O_RDWR_NONBLOCK_CLOEXEC);
  if (fd >= 0) return fd;
  const errno = errnoName(lastErrno());
  if (errno === 'ENOENT' || errno === 'ENODEV' || errno === 'ENXIO') {
    throw new TunError(`${PATH} is missing: run "modprobe tun", or start the container with --device ${PATH}`);
  }
  throw new SystemCallError('open', errno, PATH);
}

/** @returns the device's name */
function attach(fd: number, name: string, flags: number): string {
  const request = new NativeBuffer(IFREQ.end);
  new TextEncoder().encodeInto(name, request.bytes);
  request.view.setUint16(IFREQ.flags, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | flags, true);
  if (libc.ioctl(fd, TUNSETIFF, request.address) < 0) {
    const errno = errnoName(lastErrno());
    if (errno === 'EBUSY') {
      throw new TunError(`the interface ${name} is in use by another program: stop that, or choose another name`);
    }
    if (errno === 'EINVAL') {
      throw new TunError(`the interface ${name} exists and is not a TUN device: remove it, or choose another name`);
    }
    throw new SystemCallError('ioctl', errno, `TUN device ${name}`);
  }
  return nameIn(request);
}

function nameIn(request: NativeBuffer): string {
  return new TextDecoder().decode(request.bytes.subarray(0, request.bytes.indexOf(0)));
}

function chooseOffloads(fd: number, name: string): TunOffloads {
  for (const [flags, offloads] of OFFLOADS) if (libc.ioctl(fd, TUNSETOFFLOAD, flags) === 0) return offloads;
  throw new SystemCallError('ioctl', errnoName(lastErrno()), `TUN device ${name}`);
}

class LinuxTun implements Tun {
  readonly name: string;
  readonly offloads: TunOffloads;
  #fd: number;

  constructor(fd: number, name: string, offloads: TunOffloads) {
    this.#fd = fd;
    this.name = name;
    this.offloads = offloads;
  }

  get fd(): number {
    return this.#fd;
  }

  read(buffer: NativeBuffer): number {
    const length = libc.read(this.#fd, buffer.address, buffer.bytes.length);
    if (length >= 0) return length;
    const errno = lastErrno();
    if (errno === EAGAIN || errno === EINTR) return 0;
    throw new SystemCallError('read', errnoName(errno), `TUN device ${this.name}`);
  }

  write(pieces: PieceList, count: number): boolean {
    return libc.writev(this.#fd, pieces.address, count) >= 0;
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
