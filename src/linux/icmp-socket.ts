import type { IpAddress } from '../inet/index.ts';
import { MessageHeader } from './message-header.ts';
import { NativeBuffer } from './native-buffer.ts';
import { AF_INET6, SocketAddress } from './socket-address.ts';
import { check, closedOnFailure, EAGAIN, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
const IPPROTO_ICMPV6 = 58;
/** RFC 3542 §3.2; a bit that is set keeps messages of that type out. */
const ICMP6_FILTER = 1;

/** ICMPv6 echo messages, in bytes (RFC 4443 §4.1). The kernel fills in the checksum. Integers are in network order. */
const ECHO = { type: 0, identifier: 4, sequence: 6, payload: 8 } as const;
const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;

const MAX_MESSAGE_BYTES = 65_535;

export interface EchoReply {
  readonly from: IpAddress;
  readonly identifier: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/**
 * Pings over IPv6 in the network namespace it is opened in. Every such socket gets the replies to all: tell yours by
 * the identifier.
 */
export class IcmpSocket {
  readonly #outgoing = new MessageHeader(0);
  readonly #incoming = new MessageHeader(0);
  readonly #message = new NativeBuffer(MAX_MESSAGE_BYTES);
  readonly #peer = new SocketAddress();
  #fd: number;

  /** @throws SystemCallError */
  constructor() {
    const opened = check(libc.socket(AF_INET6, SOCK_RAW_NONBLOCK_CLOEXEC, IPPROTO_ICMPV6), 'socket', 'ICMPv6');
    this.#fd = closedOnFailure(opened, (fd) => {
      const filter = new NativeBuffer(32);
      filter.bytes.fill(0xff);
      filter.view.setUint32((ECHO_REPLY >> 5) * 4, ~(1 << (ECHO_REPLY & 31)), true);
      check(libc.setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, filter.address, 32), 'setsockopt', 'ICMPv6');
      return fd;
    });
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Sends an echo request. `identifier` and `sequence` have 16 bits. @returns 0, or the number of the error */
  sendEcho(to: IpAddress, identifier: number, sequence: number, payload: Uint8Array): number {
    const { bytes, view } = this.#message;
    view.setUint32(ECHO.type, 0);
    view.setUint8(ECHO.type, ECHO_REQUEST);
    view.setUint16(ECHO.identifier, identifier);
    view.setUint16(ECHO.sequence, sequence);
    bytes.set(payload, ECHO.payload);
    this.#peer.fromEndpoint({ address: to, port: 0, scopeId: 0 });
    this.#outgoing.setName(this.#peer.address, this.#peer.length);
    this.#outgoing.setPiece(this.#message.address, ECHO.payload + payload.length);
    return libc.sendmsg(this.#fd, this.#outgoing.address, 0) < 0 ? lastErrno() : 0;
  }

  /** Takes one reply in, or returns `undefined` when there is none. @throws SystemCallError */
  receive(): EchoReply | undefined {
    this.#incoming.setName(this.#peer.address, SocketAddress.CAPACITY);
    this.#incoming.setPiece(this.#message.address, MAX_MESSAGE_BYTES);
    const length = libc.recvmsg(this.#fd, this.#incoming.address, 0);
    if (length < 0) {
      const errno = lastErrno();
      if (errno === EAGAIN) return undefined;
      throw new SystemCallError('recvmsg', errnoName(errno), 'ICMPv6');
    }
    const { bytes, view } = this.#message;
    if (length < ECHO.payload) return undefined;
    return {
      from: this.#peer.toEndpoint().address,
      identifier: view.getUint16(ECHO.identifier),
      sequence: view.getUint16(ECHO.sequence),
      payload: bytes.slice(ECHO.payload, length),
    };
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
