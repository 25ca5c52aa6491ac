import { MessageHeader } from './message-header.ts';
import { NativeBuffer } from './native-buffer.ts';
import { check, closedOnFailure, EAGAIN, ENOBUFS, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
const SOCKADDR_NL = { family: 0, portId: 4, groups: 8, end: 12 } as const;
/** `struct nlmsghdr`, in bytes. */
const NLMSGHDR_BYTES = 16;
const SOL_NETLINK = 270;
const NETLINK_GET_STRICT_CHK = 12;

export interface NetlinkOptions {
  /** NETLINK_ROUTE, say. */
  readonly protocol: number;
  /** A bit for each group whose messages are wanted. */
  readonly groups: number;
  /** The longest datagram that is read, in bytes. */
  readonly datagramBytes: number;
  /** For errors: what the socket is for, and what to do if the kernel refuses. */
  readonly subject: string;
  readonly advice?: string;
  /** The kernel looks at what a list is asked for by (since 4.20), and lists no more than that. */
  readonly isStrict?: boolean;
}

/** A netlink socket (netlink(7)) with the kernel at the other end. */
export class NetlinkSocket {
  readonly #options: NetlinkOptions;
  readonly #datagram: NativeBuffer;
  /** What was sent last: a field, so that the memory lives for as long as the kernel reads it. */
  #request = new NativeBuffer(0);
  readonly #sender = new NativeBuffer(SOCKADDR_NL.end);
  readonly #message = new MessageHeader(0);
  #fd: number;

  /** @throws SystemCallError */
  constructor(options: NetlinkOptions) {
    this.#options = options;
    this.#datagram = new NativeBuffer(options.datagramBytes);
    this.#sender.view.setUint16(SOCKADDR_NL.family, AF_NETLINK, true);
    this.#sender.view.setUint32(SOCKADDR_NL.groups, options.groups, true);
    const opened = libc.socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, options.protocol);
    if (opened < 0) throw this.#failure('socket');
    this.#fd = closedOnFailure(opened, (fd) => {
      check(libc.bind(fd, this.#sender.address, SOCKADDR_NL.end), 'bind', options.subject);
      return fd;
    });
    this.#message.setPiece(this.#datagram.address, options.datagramBytes);
    if (options.isStrict) this.#beStrict();
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** The kernel has answered when the call returns. @throws SystemCallError */
  send(request: Uint8Array): void {
    this.#request = new NativeBuffer(request.length);
    this.#request.bytes.set(request);
    // Without an address it goes to the kernel (port 0).
    if (libc.sendto(this.#fd, this.#request.address, request.length, 0, 0, 0) < 0) throw this.#failure('sendto');
  }

  /** Hands over the kernel's datagrams that are there. @returns false if the kernel had to leave something out */
  read(onDatagram: (datagram: Uint8Array) => void): boolean {
    for (let isComplete = true; ;) {
      this.#message.setName(this.#sender.address, SOCKADDR_NL.end);
      const length = libc.recvmsg(this.#fd, this.#message.address, 0);
      if (length < 0) {
        const errno = lastErrno();
        if (errno === EAGAIN) return isComplete;
        if (errno !== ENOBUFS) throw new SystemCallError('recvmsg', errnoName(errno), this.#options.subject);
        isComplete = false;
      } else if (this.#sender.view.getUint32(SOCKADDR_NL.portId, true) === 0) {
        // Other processes can send to this socket too; only port 0 is the kernel.
        onDatagram(this.#datagram.bytes.subarray(0, length));
      }
    }
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }

  /** A kernel that does not know how lists more, which whoever asks has to leave out himself. */
  #beStrict(): void {
    const value = new NativeBuffer(4);
    value.view.setInt32(0, 1, true);
    libc.setsockopt(this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, value.address, 4);
  }

  #failure(call: string): SystemCallError {
    const { subject, advice } = this.#options;
    return new SystemCallError(call, errnoName(lastErrno()), subject, advice);
  }
}

export interface NetlinkMessage {
  readonly type: number;
  /** Of the socket that asked for what is told of, where the kernel says so. Most often it is the id of a process. */
  readonly portId: number;
  /** What stands behind `struct nlmsghdr`. */
  readonly contents: Uint8Array;
}

/** The messages of one datagram, less what is cut off. */
export function* netlinkMessages(datagram: Uint8Array): Generator<NetlinkMessage> {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  for (let at = 0; at + NLMSGHDR_BYTES <= datagram.length;) {
    const length = view.getUint32(at, true);
    if (length < NLMSGHDR_BYTES || at + length > datagram.length) return;
    yield {
      type: view.getUint16(at + 4, true),
      portId: view.getUint32(at + 12, true),
      contents: datagram.subarray(at + NLMSGHDR_BYTES, at + length),
    };
    at += (length + 3) & ~3;
  }
}
