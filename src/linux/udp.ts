import { WiremeshError } from '../error.ts';
import { CMSGHDR, MessageHeader } from './message-header.ts';
import { NativeBuffer } from './native-buffer.ts';
import { AF_INET, AF_INET6, SocketAddress } from './socket-address.ts';
import {
  check,
  closedOnFailure,
  EADDRNOTAVAIL,
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EIO,
  EMSGSIZE,
  ENETUNREACH,
  ENODEV,
  ENOTSOCK,
  errnoName,
  lastErrno,
  libc,
  SystemCallError,
} from './syscall.ts';

/** What one `send` with `UDP_SEGMENT` may hold: UDP_MAX_SEGMENTS of every kernel that has it, and IPv4's largest datagram. */
export const MAX_SEGMENTS = 64;
export const MAX_TRAIN_BYTES = 65_507;

/** A UDP socket of one family, bound to a port on all addresses, that does not block. */
export interface UdpSocket {
  /** -1 once closed. */
  readonly fd: number;
  readonly family: 4 | 6;
  readonly port: number;
  /** What the kernel offers: `UDP_SEGMENT` when sending, `UDP_GRO` when receiving. */
  readonly offloads: { readonly segmentation: boolean; readonly gro: boolean };

  /**
   * Receives one datagram, or a train of datagrams from one sender (`UDP_GRO`), into `buffer`. What else is known of it
   * stands in the fields below until the next call. Errors that the network reported are passed over.
   * @returns the number of bytes, or 0 when it would block
   * @throws SystemCallError
   */
  receive(buffer: NativeBuffer, offset?: number): number;
  /** The length of each datagram of the train; the last may be shorter. All that was received if it was one datagram. */
  readonly segmentSize: number;
  /** The sender. The object is used again: make an endpoint of it. */
  readonly source: SocketAddress;
  /** The address the datagram was sent to, 4 or 16 bytes that are used again. */
  readonly localAddress: Uint8Array;
  readonly localInterfaceIndex: number;
  /** The outer TOS or traffic class: DSCP and ECN (RFC 2474, RFC 3168). */
  readonly trafficClass: number;
  /** Whether the buffer was too small and the rest is lost. */
  readonly isTruncated: boolean;

  /**
   * Sends `length` bytes at `offset` as datagrams of `segmentSize` each, the last may be shorter; `MAX_SEGMENTS` and
   * `MAX_TRAIN_BYTES` at most. Where the kernel refuses to cut, they are sent one by one. They leave from the local
   * address of `to`; where this host has that no longer, `to` forgets it and the kernel picks one.
   * @returns 0, or the number of the error
   */
  send(buffer: NativeBuffer, offset: number, length: number, segmentSize: number, to: SocketAddress): number;

  /**
   * Whether what is sent from now on may not be fragmented, by this host or on its way. What is too long for the interface
   * is then refused (EMSGSIZE).
   */
  dontFragment: boolean;

  /** Receives what is sent to the multicast group on that interface; joining twice is no error. @throws SystemCallError */
  joinGroup(group: Uint8Array, interfaceIndex: number): void;
  /** Leaving a group that was not joined is no error. @throws SystemCallError */
  leaveGroup(group: Uint8Array, interfaceIndex: number): void;
  /** The TOS or traffic class of what is sent from now on: DSCP and ECN (RFC 2474, RFC 3168); 0 at first. */
  sendTrafficClass: number;
  /** Datagrams that the kernel has dropped before anybody received them: the queue was full, or a filter refused them. */
  readonly dropped: number;
  /** The firewall mark of what is sent; 0 is none. @throws SystemCallError */
  setMark(mark: number): void;
  /** The mark that is set. @throws SystemCallError */
  readonly mark: number;
  /** Whether other sockets may have its port (`openUdpGroup`, `openSendOnly`). @throws SystemCallError */
  readonly isShared: boolean;
  /**
   * Has the kernel keep about as many bytes on their way out of this host, and refuse more (EAGAIN), as far as it lets
   * us. @throws SystemCallError
   */
  setSendBuffer(bytes: number): void;
  close(): void;
}

export class PortInUseError extends WiremeshError {
  readonly code = 'PORT_IN_USE';
  readonly port: number;

  constructor(port: number) {
    super(`UDP port ${port} is in use: stop the program that holds it ("ss -ulpn" names it), or choose another port`);
    this.port = port;
  }
}

const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0x800 | 0x80000;

export const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
export const SO_REUSEPORT = 15;
const SO_MARK = 36;
const SO_MEMINFO = 55;
/** What SO_MEMINFO answers, in bytes: nine numbers, the last of which counts drops (linux/sock_diag.h). */
const MEMORY_INFO = { drops: 32, end: 36 } as const;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const MCAST_JOIN_GROUP = 42;
const MCAST_LEAVE_GROUP = 45;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_MULTICAST_HOPS = 18;

/**
 * Values of `pathMtuDiscovery` (ip(7), ipv6(7)). As in other WireGuard implementations the outer packet may be fragmented,
 * unless who sends knows what the path carries. Neither believes what routers say of that.
 */
const IP_PMTUDISC_DONT = 0;
const IP_PMTUDISC_PROBE = 3;

/** What differs between the families (ip(7), ipv6(7)). */
export const OPTIONS = {
  4: {
    level: 0,
    pathMtuDiscovery: 10,
    receivePacketInfo: 8,
    packetInfo: 8,
    receiveTrafficClass: 13,
    trafficClass: 1,
    multicastAll: 49,
  },
  6: {
    level: 41,
    pathMtuDiscovery: 23,
    receivePacketInfo: 49,
    packetInfo: 50,
    receiveTrafficClass: 66,
    trafficClass: 67,
    multicastAll: 29,
  },
} as const;

/**
 * `struct in_pktinfo` and `struct in6_pktinfo`, in bytes. `address` is the one in the header of what was received,
 * `source` the one to send from.
 */
const PACKET_INFO = {
  4: { interfaceIndex: 0, source: 4, address: 8, addressLength: 4, end: 12 },
  6: { interfaceIndex: 16, source: 0, address: 0, addressLength: 16, end: 20 },
} as const;

/** `struct group_req`, in bytes: an interface index, and a socket address at 8 (RFC 3678 §5.1). */
const GROUP_REQUEST = { interfaceIndex: 0, group: 8, end: 136 } as const;

/** Bursts of full trains wait here while the one thread is busy elsewhere; as large as wireguard-go documents its own. */
const RECEIVE_BUFFER_BYTES = 7 << 20;
/** What is on its way when nobody is in trouble: 16 full trains. More would be a queue that the next have to wait behind. */
const SEND_BUFFER_BYTES = 1 << 20;

/** Room for three control messages at their largest (packet info, traffic class, segment size). */
const CONTROL_BYTES = 128;

/** Passed over in one call of `receive`, so that a flood of empty datagrams cannot hold the caller. */
const MAX_PASSED_OVER = 8;

/** What sending from an address that this host does not have, or not on the way there, answers (ip(7), ipv6(7)). */
const LOCAL_ADDRESS_ERRORS: ReadonlySet<number> = new Set([EINVAL, EADDRNOTAVAIL, ENETUNREACH, ENODEV]);

/** Errors of `recvmsg` that are about this socket and not about a datagram. */
const FATAL_ERRORS: ReadonlySet<number> = new Set([EBADF, ENOTSOCK, EFAULT, EINVAL]);

/**
 * Binds `port` of one family on all addresses; 0 takes a free one.
 * @throws PortInUseError, SystemCallError
 */
export function openUdpSocket(family: 4 | 6, port: number): UdpSocket {
  return openSocket(family, port, () => {});
}

/**
 * The same for a port that programs share, each of which hears what is sent to groups; a datagram at a time.
 * @throws PortInUseError where another program does not share it; SystemCallError
 */
export function openSharedUdpSocket(family: 4 | 6, port: number): UdpSocket {
  const socket = openSocket(family, port, (fd) => requireOption({ fd, port }, SOL_SOCKET, SO_REUSEADDR, 1));
  setOption(socket.fd, SOL_UDP, UDP_GRO, 0);
  return socket;
}

/** Has `beforeBinding` set what must be set by then. @throws PortInUseError, SystemCallError */
export function openSocket(family: 4 | 6, port: number, beforeBinding: (fd: number) => void): UdpSocket {
  const domain = family === 4 ? AF_INET : AF_INET6;
  const opened = check(libc.socket(domain, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0), 'socket', `UDP over IPv${family}`);
  return closedOnFailure(opened, (fd) => {
    configure(fd, family, port);
    beforeBinding(fd);
    const boundPort = bind(fd, family, port);
    return new LinuxUdpSocket(fd, family, boundPort);
  });
}

/**
 * Binds one port for both families, IPv4 first; for IPv4 alone where the host has no IPv6.
 * @throws PortInUseError, SystemCallError
 */
export function openUdpPair(port: number): readonly UdpSocket[] {
  // A free port of one family may be taken in the other: then another is tried.
  for (let attemptsLeft = port === 0 ? 16 : 1; ; attemptsLeft--) {
    const ipv4 = openUdpSocket(4, port);
    try {
      return [ipv4, openUdpSocket(6, ipv4.port)];
    } catch (error) {
      if (error instanceof SystemCallError && error.errno === 'EAFNOSUPPORT') return [ipv4];
      ipv4.close();
      if (!(error instanceof PortInUseError) || attemptsLeft === 1) throw error;
    }
  }
}

/** A socket that another thread has opened. It stays with that thread: `close` is for that to call. */
export function udpSocketOf({ fd, family, port }: Pick<UdpSocket, 'fd' | 'family' | 'port'>): UdpSocket {
  return new LinuxUdpSocket(fd, family, port);
}

function configure(fd: number, family: 4 | 6, port: number): void {
  const socket = { fd, port };
  const { level, pathMtuDiscovery, receivePacketInfo, receiveTrafficClass } = OPTIONS[family];
  if (family === 6) {
    requireOption(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    requireOption(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1);
  }
  requireOption(socket, level, pathMtuDiscovery, IP_PMTUDISC_DONT);
  requireOption(socket, level, receivePacketInfo, 1);
  requireOption(socket, level, receiveTrafficClass, 1);
  setSendBuffer(socket, SEND_BUFFER_BYTES);
  if (setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES) < 0)
    requireOption(socket, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
}

/** Beyond the host's limit only with CAP_NET_ADMIN; else as much as the limit allows. */
function setSendBuffer(socket: Pick<UdpSocket, 'fd' | 'port'>, bytes: number): void {
  if (setOption(socket.fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes) < 0) requireOption(socket, SOL_SOCKET, SO_SNDBUF, bytes);
}

/** @returns the port that was bound */
function bind(fd: number, family: 4 | 6, port: number): number {
  const local = new SocketAddress();
  local.fromEndpoint({ address: { family, bytes: new Uint8Array(family === 4 ? 4 : 16) }, port, scopeId: 0 });
  if (libc.bind(fd, local.address, local.length) < 0) {
    const errno = errnoName(lastErrno());
    if (errno === 'EADDRINUSE') throw new PortInUseError(port);
    throw new SystemCallError('bind', errno, `UDP port ${port}`);
  }
  const length = new NativeBuffer(4);
  length.view.setUint32(0, SocketAddress.CAPACITY, true);
  check(libc.getsockname(fd, local.address, length.address), 'getsockname', `UDP port ${port}`);
  return local.toEndpoint().port;
}

/** @throws SystemCallError */
export function requireOption(
  { fd, port }: Pick<UdpSocket, 'fd' | 'port'>,
  level: number,
  option: number,
  value: number,
): void {
  check(setOption(fd, level, option, value), 'setsockopt', `UDP port ${port}`);
}

/** @returns 0, or a negative number */
function setOption(fd: number, level: number, option: number, value: number): number {
  const memory = new NativeBuffer(4);
  memory.view.setInt32(0, value, true);
  return libc.setsockopt(fd, level, option, memory.address, 4);
}

class LinuxUdpSocket implements UdpSocket {
  readonly family: 4 | 6;
  readonly port: number;
  readonly offloads: { readonly segmentation: boolean; readonly gro: boolean };
  readonly source = new SocketAddress();
  readonly localAddress: Uint8Array;
  segmentSize = 0;
  localInterfaceIndex = 0;
  trafficClass = 0;
  sendTrafficClass = 0;
  isTruncated = false;

  #fd: number;
  #maySegment: boolean;
  #dontFragment = false;
  readonly #incoming = new MessageHeader(CONTROL_BYTES);
  readonly #outgoing = new MessageHeader(CONTROL_BYTES);
  /** Where the next control message of `#outgoing` goes. */
  #controlEnd = 0;

  constructor(fd: number, family: 4 | 6, port: number) {
    this.#fd = fd;
    this.family = family;
    this.port = port;
    this.localAddress = new Uint8Array(PACKET_INFO[family].addressLength);
    // Setting the size to 0 changes nothing, and fails where the kernel (before 4.18) knows no such option.
    const segmentation = setOption(fd, SOL_UDP, UDP_SEGMENT, 0) === 0;
    this.offloads = { segmentation, gro: setOption(fd, SOL_UDP, UDP_GRO, 1) === 0 };
    this.#maySegment = segmentation;
  }

  get fd(): number {
    return this.#fd;
  }

  receive(buffer: NativeBuffer, offset = 0): number {
    const message = this.#incoming;
    message.setPiece(buffer.address + offset, buffer.bytes.length - offset);
    for (let i = 0; i < MAX_PASSED_OVER; i++) {
      message.setName(this.source.address, SocketAddress.CAPACITY);
      message.controlLength = CONTROL_BYTES;
      const length = libc.recvmsg(this.#fd, message.address, 0);
      if (length > 0) {
        this.#takeControl(length);
        return length;
      }
      if (length < 0) {
        const errno = lastErrno();
        if (errno === EAGAIN) return 0;
        if (FATAL_ERRORS.has(errno)) throw this.#error('recvmsg', errno);
      }
    }
    return 0;
  }

  // The hot path: an object for the parameters would be one more allocation for each call.
  // eslint-disable-next-line max-params
  send(buffer: NativeBuffer, offset: number, length: number, segmentSize: number, to: SocketAddress): number {
    const address = buffer.address + offset;
    this.#outgoing.setName(to.address, to.length);
    const errno = this.#send(address, length, segmentSize, to);
    if (errno === 0 || to.localLength === 0 || !LOCAL_ADDRESS_ERRORS.has(errno)) return errno;
    to.setLocal(to.local, 0);
    return this.#send(address, length, segmentSize, to);
  }

  joinGroup(group: Uint8Array, interfaceIndex: number): void {
    let errno = this.#changeGroup(MCAST_JOIN_GROUP, group, interfaceIndex);
    if (errnoName(errno) === 'EADDRINUSE') {
      // What is in use may be the membership on a link that is gone, whose index another one has got.
      this.leaveGroup(group, interfaceIndex);
      errno = this.#changeGroup(MCAST_JOIN_GROUP, group, interfaceIndex);
    }
    if (errno !== 0) throw this.#error('setsockopt', errno);
  }

  leaveGroup(group: Uint8Array, interfaceIndex: number): void {
    const errno = this.#changeGroup(MCAST_LEAVE_GROUP, group, interfaceIndex);
    if (errno !== 0 && errnoName(errno) !== 'EADDRNOTAVAIL') throw this.#error('setsockopt', errno);
  }

  get dontFragment(): boolean {
    return this.#dontFragment;
  }

  set dontFragment(dontFragment: boolean) {
    if (dontFragment === this.#dontFragment) return;
    const { level, pathMtuDiscovery } = OPTIONS[this.family];
    const value = dontFragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT;
    if (setOption(this.#fd, level, pathMtuDiscovery, value) === 0) this.#dontFragment = dontFragment;
  }

  get dropped(): number {
    const memory = new NativeBuffer(MEMORY_INFO.end);
    const length = new NativeBuffer(4);
    length.view.setUint32(0, MEMORY_INFO.end, true);
    // Linux has it since 4.12.
    const answer = libc.getsockopt(this.#fd, SOL_SOCKET, SO_MEMINFO, memory.address, length.address);
    return answer < 0 ? 0 : memory.view.getUint32(MEMORY_INFO.drops, true);
  }

  setMark(mark: number): void {
    if (setOption(this.#fd, SOL_SOCKET, SO_MARK, mark) < 0) throw this.#error('setsockopt', lastErrno());
  }

  get mark(): number {
    return this.#option(SO_MARK);
  }

  get isShared(): boolean {
    return this.#option(SO_REUSEPORT) !== 0;
  }

  setSendBuffer(bytes: number): void {
    setSendBuffer(this, bytes);
  }

  close(): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }

  #takeControl(length: number): void {
    const { level, packetInfo, trafficClass } = OPTIONS[this.family];
    const { view } = this.#incoming.control;
    const end = this.#incoming.controlLength;
    this.segmentSize = length;
    this.isTruncated = this.#incoming.isTruncated;
    for (let at = 0; at + CMSGHDR.contents < end;) {
      const contents = at + CMSGHDR.contents;
      const messageLevel = view.getInt32(at + CMSGHDR.level, true);
      const type = view.getInt32(at + CMSGHDR.type, true);
      if (messageLevel === SOL_UDP && type === UDP_GRO) this.segmentSize = view.getInt32(contents, true);
      // IPv4 gives one byte, IPv6 an integer, of which the lowest comes first.
      else if (messageLevel === level && type === trafficClass) this.trafficClass = view.getUint8(contents);
      else if (messageLevel === level && type === packetInfo) this.#takePacketInfo(contents);
      at += (view.getUint32(at + CMSGHDR.length, true) + 7) & ~7;
    }
  }

  #takePacketInfo(offset: number): void {
    const { interfaceIndex, address, addressLength } = PACKET_INFO[this.family];
    const { bytes, view } = this.#incoming.control;
    this.localInterfaceIndex = view.getInt32(offset + interfaceIndex, true);
    for (let i = 0; i < addressLength; i++) this.localAddress[i] = bytes[offset + address + i];
    // Who was called by the name of a group answers by its own.
    const isMulticast = this.family === 4 ? this.localAddress[0] >> 4 === 0xe : this.localAddress[0] === 0xff;
    this.source.setLocal(this.localAddress, isMulticast ? 0 : addressLength);
  }

  #send(address: number, length: number, segmentSize: number, to: SocketAddress): number {
    if (segmentSize >= length) return this.#sendMessage(address, length, 0, to);
    if (this.#maySegment) {
      const errno = this.#sendMessage(address, length, segmentSize, to);
      if (!this.#mustSendOneByOne(errno)) return errno;
    }
    for (let sent = 0; sent < length; sent += segmentSize) {
      const errno = this.#sendMessage(address + sent, Math.min(segmentSize, length - sent), 0, to);
      if (errno !== 0) return errno;
    }
    return 0;
  }

  /** A `segmentSize` of 0 has the kernel cut nothing. */
  #sendMessage(address: number, length: number, segmentSize: number, to: SocketAddress): number {
    const message = this.#outgoing;
    const { level, trafficClass, packetInfo } = OPTIONS[this.family];
    const { view } = message.control;
    this.#controlEnd = 0;
    if (segmentSize > 0) view.setUint16(this.#addControl(SOL_UDP, UDP_SEGMENT, 2), segmentSize, true);
    if (this.sendTrafficClass !== 0) {
      view.setInt32(this.#addControl(level, trafficClass, 4), this.sendTrafficClass, true);
    }
    if (to.localLength > 0)
      this.#writePacketInfo(this.#addControl(level, packetInfo, PACKET_INFO[this.family].end), to);
    message.setPiece(address, length);
    message.controlLength = this.#controlEnd;
    return libc.sendmsg(this.#fd, message.address, 0) < 0 ? lastErrno() : 0;
  }

  /** Begins a control message with `length` bytes of contents. @returns where the contents go */
  #addControl(level: number, type: number, length: number): number {
    const { view } = this.#outgoing.control;
    const at = this.#controlEnd;
    // The length is of 64 bits, and of the message sent before other things may lie there.
    view.setUint32(at + CMSGHDR.length, CMSGHDR.contents + length, true);
    view.setUint32(at + CMSGHDR.length + 4, 0, true);
    view.setInt32(at + CMSGHDR.level, level, true);
    view.setInt32(at + CMSGHDR.type, type, true);
    this.#controlEnd = at + ((CMSGHDR.contents + length + 7) & ~7);
    return at + CMSGHDR.contents;
  }

  /** The source address; the way out is left to the routing table, which may have changed since we were spoken to. */
  #writePacketInfo(at: number, { local, localLength }: SocketAddress): void {
    const { bytes, view } = this.#outgoing.control;
    const { interfaceIndex, source, end } = PACKET_INFO[this.family];
    bytes.fill(0, at, at + end);
    view.setInt32(at + interfaceIndex, 0, true);
    for (let i = 0; i < localLength; i++) bytes[at + source + i] = local[i];
  }

  /**
   * The kernel cuts no train whose datagrams would have to be fragmented on the way to that destination (EINVAL, of
   * late EMSGSIZE): this train only. EIO says that the device behind the route cannot do checksums: that will not change.
   */
  #mustSendOneByOne(errno: number): boolean {
    if (errno === EIO) this.#maySegment = false;
    return errno === EIO || errno === EINVAL || errno === EMSGSIZE;
  }

  #option(option: number): number {
    const memory = new NativeBuffer(8);
    memory.view.setUint32(4, 4, true);
    const result = libc.getsockopt(this.#fd, SOL_SOCKET, option, memory.address, memory.address + 4);
    if (result < 0) throw this.#error('getsockopt', lastErrno());
    return memory.view.getUint32(0, true);
  }

  /** @returns the error number, 0 if there is none */
  #changeGroup(option: number, group: Uint8Array, interfaceIndex: number): number {
    const request = new NativeBuffer(GROUP_REQUEST.end);
    request.view.setUint32(GROUP_REQUEST.interfaceIndex, interfaceIndex, true);
    request.view.setUint16(GROUP_REQUEST.group, this.family === 4 ? AF_INET : AF_INET6, true);
    request.bytes.set(group, GROUP_REQUEST.group + (this.family === 4 ? 4 : 8));
    const { level } = OPTIONS[this.family];
    return libc.setsockopt(this.#fd, level, option, request.address, GROUP_REQUEST.end) === 0 ? 0 : lastErrno();
  }

  #error(call: string, errno: number): SystemCallError {
    return new SystemCallError(call, errnoName(errno), `UDP port ${this.port}`);
  }
}
