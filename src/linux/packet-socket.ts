import { interfaceName } from './interface-name.ts';
import { MessageHeader } from './message-header.ts';
import { NativeBuffer } from './native-buffer.ts';
import { check, closedOnFailure, EAGAIN, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
/** `htons(ETH_P_ALL)`: as `socket` and `sockaddr_ll` want it, in network order. */
const ETH_P_ALL = 0x0300;

/** `struct sockaddr_ll` (packet(7)), in bytes. */
const SOCKADDR_LL = { family: 0, protocol: 2, interfaceIndex: 4, packetType: 10, end: 20 } as const;

const PACKET_TYPES = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing'] as const;

export type PacketType = (typeof PACKET_TYPES)[number] | 'unknown';

/**
 * Sees all frames of one interface, or of all, of the network namespace it is opened in, sent and received, as they stand
 * on the link (packet(7)). On an interface without link-layer header, as TUN is, a frame is an IP packet.
 */
export class PacketSocket {
  readonly #message = new MessageHeader(0);
  readonly #sender = new NativeBuffer(SOCKADDR_LL.end);
  readonly #subject: string;
  #fd: number;

  /** `link` is an interface's index and name. @throws SystemCallError */
  constructor(link?: { readonly index: number; readonly name: string }) {
    this.#subject = link === undefined ? 'all interfaces' : interfaceName(link.name);
    // Protocol 0 lets no frame in before the socket is bound: else frames of other interfaces would be the first.
    const opened = check(libc.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0), 'socket', this.#subject);
    this.#fd = closedOnFailure(opened, (fd) => {
      this.#sender.view.setUint16(SOCKADDR_LL.family, AF_PACKET, true);
      this.#sender.view.setUint16(SOCKADDR_LL.protocol, ETH_P_ALL, true);
      this.#sender.view.setInt32(SOCKADDR_LL.interfaceIndex, link?.index ?? 0, true);
      check(libc.bind(fd, this.#sender.address, SOCKADDR_LL.end), 'bind', this.#subject);
      return fd;
    });
  }

  /** -1 once closed. */
  get fd(): number {
    return this.#fd;
  }

  /** Reads one frame, cut to the buffer's length. @returns its length, or 0 when there is none. @throws SystemCallError */
  read(buffer: NativeBuffer): number {
    this.#message.setName(this.#sender.address, SOCKADDR_LL.end);
    this.#message.setPiece(buffer.address, buffer.bytes.length);
    const length = libc.recvmsg(this.#fd, this.#message.address, 0);
    if (length >= 0) return length;
    const errno = lastErrno();
    // ENETDOWN: the interface went down, which a capture outlives.
    if (errno === EAGAIN || errnoName(errno) === 'ENETDOWN') return 0;
    throw new SystemCallError('recvmsg', errnoName(errno), this.#subject);
  }

  /** Of the frame read last: which interface it was on. */
  get interfaceIndex(): number {
    return this.#sender.view.getInt32(SOCKADDR_LL.interfaceIndex, true);
  }

  /** Of the frame read last: for whom it was, or that this host sent it. */
  get packetType(): PacketType {
    return PACKET_TYPES[this.#sender.view.getUint8(SOCKADDR_LL.packetType)] ?? 'unknown';
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
