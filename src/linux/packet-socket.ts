import { interfaceName } from './interface-name.ts';
import { MessageHeader } from './message-header.ts';
import { NativeBuffer } from './native-buffer.ts';
import { check, closedOnFailure, EAGAIN, errnoName, lastErrno, libc, SystemCallError } from './syscall.ts';

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0x800 | 0x80000;
/** `htons(ETH_P_ALL)`: as `socket` and `sockaddr_ll` want it, in network order. */
const ETH_P_ALL = 0x0300;

const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SIOCGSTAMPNS = 0x8907;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
/** `struct tpacket_stats`, and room for the length that `getsockopt` wants by address. */
const STATISTICS = { drops: 4, end: 8, length: 8 } as const;

/** `struct sockaddr_ll` (packet(7)), in bytes. */
const SOCKADDR_LL = { family: 0, protocol: 2, interfaceIndex: 4, hardwareType: 8, packetType: 10, end: 20 } as const;

const ARPHRD_ETHER = 1;

const PACKET_TYPES = ['host', 'broadcast', 'multicast', 'other-host', 'outgoing'] as const;

export type PacketType = (typeof PACKET_TYPES)[number] | 'unknown';

/**
 * Sees all frames of one interface, or of all, of the network namespace it is opened in, sent and received, as they stand
 * on the link (packet(7)). On an interface without link-layer header, as TUN is, a frame is an IP packet.
 */
export class PacketSocket {
  readonly #message = new MessageHeader(0);
  readonly #sender = new NativeBuffer(SOCKADDR_LL.end);
  /** For small structures: a time, an option. */
  readonly #small = new NativeBuffer(16);
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

  /** Of the frame read last: whether it begins with an Ethernet header, or with that of IP, as on TUN. */
  get hasEthernetHeader(): boolean {
    return this.#sender.view.getUint16(SOCKADDR_LL.hardwareType, true) === ARPHRD_ETHER;
  }

  /** Room for what waits to be read, in bytes, beyond what the system allows others. @throws SystemCallError */
  setReceiveBuffer(bytes: number): void {
    this.#small.view.setInt32(0, bytes, true);
    check(libc.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUFFORCE, this.#small.address, 4), 'setsockopt', this.#subject);
  }

  /** How many frames were lost since it was asked last, for want of room. @throws SystemCallError */
  takeLost(): number {
    const { address, view } = this.#small;
    view.setUint32(STATISTICS.length, STATISTICS.end, true);
    check(
      libc.getsockopt(this.#fd, SOL_PACKET, PACKET_STATISTICS, address, address + STATISTICS.length),
      'getsockopt',
      this.#subject,
    );
    return view.getUint32(STATISTICS.drops, true);
  }

  /**
   * When the kernel saw the frame read last, in nanoseconds of Unix time (socket(7)). 0 the first time it is asked: the
   * kernel stamps frames from then on.
   */
  get timestamp(): bigint {
    const { address, view } = this.#small;
    if (libc.ioctl(this.#fd, SIOCGSTAMPNS, address) < 0) return 0n;
    return view.getBigInt64(0, true) * 1_000_000_000n + view.getBigInt64(8, true);
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
