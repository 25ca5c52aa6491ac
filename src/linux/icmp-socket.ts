import type { IpAddress } from '../inet/index.ts';
import { MessageHeader } from './message-header.ts';
import { NativeBuffer } from './native-buffer.ts';
import { AF_INET, AF_INET6, SocketAddress } from './socket-address.ts';
import { check, closedOnFailure, EAGAIN, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;
const SOL_RAW = 255;
/** raw(7); a bit that is set keeps messages of that type out. */
const ICMP_FILTER = 1;
/** RFC 3542 §3.2; a bit that is set keeps messages of that type out. */
const ICMP6_FILTER = 1;

/** Echo messages, in bytes (RFC 4443 §4.1, RFC 792). Integers are in network order. */
const ECHO = { type: 0, checksum: 2, identifier: 4, sequence: 6, payload: 8 } as const;
const TYPES = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;

const MAX_MESSAGE_BYTES = 65_535;

export interface EchoReply {
  readonly from: IpAddress;
  readonly identifier: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/**
 * Pings over IPv6, or IPv4, in the network namespace it is opened in. Every such socket gets the replies to all: tell yours by
 * the identifier.
 */
export class IcmpSocket {
  readonly #outgoing = new MessageHeader(0);
  readonly #incoming = new MessageHeader(0);
  readonly #message = new NativeBuffer(MAX_MESSAGE_BYTES);
  readonly #peer = new SocketAddress();
  readonly #family: 4 | 6;
  #fd: number;

  /** @throws SystemCallError */
  constructor(family: 4 | 6 = 6) {
    this.#family = family;
    const [domain, protocol] = family === 6 ? [AF_INET6, IPPROTO_ICMPV6] : [AF_INET, IPPROTO_ICMP];
    const [level, option, length] = family === 6 ? [protocol, ICMP6_FILTER, 32] : [SOL_RAW, ICMP_FILTER, 4];
    const opened = check(libc.socket(domain, SOCK_RAW_NONBLOCK_CLOEXEC, protocol), 'socket', `ICMPv${family}`);
    this.#fd = closedOnFailure(opened, (fd) => {
      const { reply } = TYPES[family];
      const filter = new NativeBuffer(32);
      filter.bytes.fill(0xff);
      filter.view.setUint32((reply >> 5) * 4, ~(1 << (reply & 31)), true);
      check(libc.setsockopt(fd, level, option, filter.address, length), 'setsockopt', `ICMPv${family}`);
      return fd;
    });
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Sends an echo request. `identifier` and `sequence` have 16 bits. @returns 0, or the number of the error */
  sendEcho(to: IpAddress, identifier: number, sequence: number, payload: Uint8Array): number {
    this.#message.view.setUint16(ECHO.identifier, identifier);
    this.#message.view.setUint16(ECHO.sequence, sequence);
    return this.#send('request', to, payload);
  }

  /** Sends a reply that nobody asked for, and nobody answers. @returns 0, or the number of the error */
  sendUnasked(to: IpAddress, payload: Uint8Array): number {
    this.#message.view.setUint32(ECHO.identifier, 0);
    return this.#send('reply', to, payload);
  }

  #send(kind: 'request' | 'reply', to: IpAddress, payload: Uint8Array): number {
    const { bytes, view } = this.#message;
    view.setUint32(ECHO.type, 0);
    view.setUint8(ECHO.type, TYPES[this.#family][kind]);
    bytes.set(payload, ECHO.payload);
    // Of ICMPv6, the kernel fills it in.
    if (this.#family === 4) view.setUint16(ECHO.checksum, checksum(view, ECHO.payload + payload.length));
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
      throw new SystemCallError('recvmsg', errnoName(errno), `ICMPv${this.#family}`);
    }
    const { bytes, view } = this.#message;
    // A raw socket of IPv4 hands out the IP header as well, whose length is in its first byte (raw(7)).
    const start = this.#family === 4 ? (bytes[0] & 0x0f) * 4 : 0;
    if (length < start + ECHO.payload) return undefined;
    return {
      from: this.#peer.toEndpoint().address,
      identifier: view.getUint16(start + ECHO.identifier),
      sequence: view.getUint16(start + ECHO.sequence),
      payload: bytes.slice(start + ECHO.payload, length),
    };
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}

/** The internet checksum of the first `length` bytes (RFC 1071). */
function checksum(view: DataView, length: number): number {
  let sum = 0;
  for (let at = 0; at + 1 < length; at += 2) sum += view.getUint16(at);
  if (length % 2 === 1) sum += view.getUint8(length - 1) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
