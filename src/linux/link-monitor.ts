import { MessageHeader } from './message-header.ts';
import { NativeBuffer } from './native-buffer.ts';
import { dumpRequest, readRouteMessages, type Link, type LinkAddress, type RouteMessage } from './rtnetlink.ts';
import { check, closedOnFailure, EAGAIN, ENOBUFS, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
const NETLINK_ROUTE = 0;
const RTMGRP_LINK = 0x1;
const RTMGRP_IPV4_IFADDR = 0x10;
const RTMGRP_IPV6_IFADDR = 0x100;

/** `struct sockaddr_nl` (netlink(7)), in bytes. */
const SOCKADDR_NL = { family: 0, portId: 4, groups: 8, end: 12 } as const;

/** One datagram of a dump is 32 KiB at most. */
const DATAGRAM_BYTES = 1 << 16;

export interface LinkChange extends Link {
  readonly removed: boolean;
}

export interface AddressChange extends LinkAddress {
  readonly removed: boolean;
}

/** The links of the calling thread's network namespace. @throws SystemCallError */
export function listLinks(): Link[] {
  return dump('links').flatMap((message) => (message.kind === 'link' ? [message.link] : []));
}

/** The addresses of all links of the calling thread's network namespace. @throws SystemCallError */
export function listAddresses(): LinkAddress[] {
  return dump('addresses').flatMap((message) => (message.kind === 'address' ? [message.address] : []));
}

/**
 * Tells when links of the network namespace it was opened in come, go or change. Where changes came faster than they
 * were read, all links that there are now are told.
 */
export class LinkMonitor {
  readonly #socket = new RouteSocket(RTMGRP_LINK);

  /** Readable when there is something to read; -1 once closed. */
  get fd(): number {
    return this.#socket.fd;
  }

  read(onChange: (change: LinkChange) => void): void {
    const complete = this.#socket.read((message) => {
      if (message.kind === 'link') onChange({ ...message.link, removed: message.removed });
    });
    if (!complete) for (const link of listLinks()) onChange({ ...link, removed: false });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The same for addresses. */
export class AddressMonitor {
  readonly #socket = new RouteSocket(RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);

  get fd(): number {
    return this.#socket.fd;
  }

  read(onChange: (change: AddressChange) => void): void {
    const complete = this.#socket.read((message) => {
      if (message.kind === 'address') onChange({ ...message.address, removed: message.removed });
    });
    if (!complete) for (const address of listAddresses()) onChange({ ...address, removed: false });
  }

  close(): void {
    this.#socket.close();
  }
}

/** The kernel answers a dump while it is asked, so nothing is waited for. */
function dump(what: 'links' | 'addresses'): RouteMessage[] {
  const socket = new RouteSocket(0);
  try {
    socket.send(dumpRequest(what));
    const messages: RouteMessage[] = [];
    socket.read((message) => messages.push(message));
    const failed = messages.find((message) => message.kind === 'error');
    if (failed !== undefined) throw new SystemCallError('sendto', errnoName(failed.errno), `the list of ${what}`);
    return messages;
  } finally {
    socket.close();
  }
}

/** A netlink socket of the routing family, with the kernel at the other end. */
class RouteSocket {
  readonly #datagram = new NativeBuffer(DATAGRAM_BYTES);
  readonly #sender = new NativeBuffer(SOCKADDR_NL.end);
  readonly #message = new MessageHeader(0);
  #fd: number;

  constructor(groups: number) {
    this.#sender.view.setUint16(SOCKADDR_NL.family, AF_NETLINK, true);
    this.#sender.view.setUint32(SOCKADDR_NL.groups, groups, true);
    const opened = check(libc.socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, NETLINK_ROUTE), 'socket', 'rtnetlink');
    this.#fd = closedOnFailure(opened, (fd) => {
      check(libc.bind(fd, this.#sender.address, SOCKADDR_NL.end), 'bind', 'rtnetlink');
      return fd;
    });
    this.#message.setPiece(this.#datagram.address, DATAGRAM_BYTES);
  }

  get fd(): number {
    return this.#fd;
  }

  send(request: Uint8Array): void {
    this.#datagram.bytes.set(request);
    // Without an address it goes to the kernel (port 0).
    check(libc.sendto(this.#fd, this.#datagram.address, request.length, 0, 0, 0), 'sendto', 'rtnetlink');
  }

  /** Reads what is there. @returns false if the kernel had to leave something out */
  read(onMessage: (message: RouteMessage) => void): boolean {
    for (let complete = true; ;) {
      this.#message.setName(this.#sender.address, SOCKADDR_NL.end);
      const length = libc.recvmsg(this.#fd, this.#message.address, 0);
      if (length < 0) {
        const errno = lastErrno();
        if (errno === EAGAIN) return complete;
        if (errno !== ENOBUFS) throw new SystemCallError('recvmsg', errnoName(errno), 'rtnetlink');
        complete = false;
      } else if (this.#sender.view.getUint32(SOCKADDR_NL.portId, true) === 0) {
        // Other processes can send to this socket too; only port 0 is the kernel.
        readRouteMessages(this.#datagram.bytes.subarray(0, length)).forEach(onMessage);
      }
    }
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
