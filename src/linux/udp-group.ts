/** UDP sockets that share a port: several that receive, one a thread, and others that only send. */
import { NativeBuffer, setPointer } from './native-buffer.ts';
import { check, libc } from './syscall.ts';
import { openSocket, openUdpPair, OPTIONS, requireOption, SO_REUSEPORT, SOL_SOCKET, type UdpSocket } from './udp.ts';

const SO_ATTACH_REUSEPORT_CBPF = 51;

/**
 * Binds one port for several threads: for each of them sockets as `openUdpPair` gives. Datagrams that begin with the
 * byte `spread` are spread over all: those of one sender, its address and port, go to one thread as long as the group
 * is open. All others, and what is sent to groups, go to the first.
 * @throws PortInUseError also where another program holds the port and would share it; SystemCallError
 */
export function openUdpGroup(port: number, threads: number, spread: number): readonly (readonly UdpSocket[])[] {
  // The first comes alone and thus finds out whether the port is free; only then does it let others in.
  const first = openUdpPair(port);
  const group = [first];
  try {
    for (const socket of first) requireOption(socket, SOL_SOCKET, SO_REUSEPORT, 1);
    while (group.length < threads) group.push(first.map(openMember));
    for (const socket of first) attachSelection(socket, spreadOver(socket.family, threads, spread));
  } catch (error) {
    for (const socket of group.flat()) socket.close();
    throw error;
  }
  return group;
}

/**
 * A socket that sends from the port of `receiving`, with its mark and a send buffer of its own. It receives nothing:
 * what was for it in the moment that the first of them is opened for a port is lost, as datagrams may be.
 * @throws SystemCallError
 */
export function openSendOnly(receiving: UdpSocket): UdpSocket {
  const isGroup = receiving.isShared;
  if (!isGroup) requireOption(receiving, SOL_SOCKET, SO_REUSEPORT, 1);
  const socket = openMember(receiving);
  try {
    // The kernel takes a program only when the group has come into being.
    if (!isGroup) attachSelection(receiving, FIRST_ONLY);
    const { mark } = receiving;
    if (mark !== 0) socket.setMark(mark);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

function openMember({ family, port }: UdpSocket): UdpSocket {
  return openSocket(family, port, (fd) => {
    requireOption({ fd, port }, SOL_SOCKET, SO_REUSEPORT, 1);
    // Else it gets what is sent to a group that any socket of this host has joined.
    requireOption({ fd, port }, OPTIONS[family].level, OPTIONS[family].multicastAll, 0);
  });
}

/** An instruction of classic BPF (kernel documentation, networking/filter): code, steps if true and if false, value. */
type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

const LOAD_BYTE = 0x30;
const LOAD_WORD = 0x20;
/** Of the half word at X and the value. */
const LOAD_HALF_INDEXED = 0x48;
const LOAD_HALF = 0x28;
/** Into X, the length of the IPv4 header at the value. */
const LOAD_HEADER_LENGTH = 0xb1;
const COPY_TO_X = 0x07;
const XOR_X = 0xac;
const MULTIPLY = 0x24;
const SHIFT_RIGHT = 0x74;
const MODULO = 0x94;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const RETURN_A = 0x16;
/** Positions from here on count from the IP header; others, in a program of a socket, from the contents of the datagram. */
const NETWORK_HEADER = 0xfff0_0000;
/** An odd number whose bits look random: 2^32 by the golden ratio (Knuth, The Art of Computer Programming 3, §6.4). */
const SCATTER = 0x9e37_79b1;

const FIRST_ONLY: readonly Instruction[] = [[RETURN, 0, 0, 0]];

/**
 * Names the socket of a datagram: the first, or with the byte `spread` in front one of the first `count`, by the
 * sender's address and port. (The kernel's own hash would choose among those that only send as well.)
 */
function spreadOver(family: 4 | 6, count: number, spread: number): readonly Instruction[] {
  // The source port lies behind the header, which in IPv6 has a fixed length (RFC 791 §3.1, RFC 8200 §3).
  const loadPort: readonly Instruction[] =
    family === 4
      ? [
          [LOAD_HEADER_LENGTH, 0, 0, NETWORK_HEADER],
          [LOAD_HALF_INDEXED, 0, 0, NETWORK_HEADER],
        ]
      : [[LOAD_HALF, 0, 0, NETWORK_HEADER + 40]];
  return [
    [LOAD_BYTE, 0, 0, 0],
    [JUMP_IF_EQUAL, 1, 0, spread],
    ...FIRST_ONLY,
    ...loadPort,
    [COPY_TO_X, 0, 0, 0],
    [LOAD_WORD, 0, 0, NETWORK_HEADER + (family === 4 ? 12 : 20)],
    [XOR_X, 0, 0, 0],
    [MULTIPLY, 0, 0, SCATTER],
    [SHIFT_RIGHT, 0, 0, 16],
    [MODULO, 0, 0, count],
    [RETURN_A, 0, 0, 0],
  ];
}

/**
 * The kernel asks the program for the place of the socket in the group, in the order in which they came (socket(7),
 * SO_ATTACH_REUSEPORT_CBPF). `struct sock_filter` has 8 bytes.
 */
function attachSelection({ fd, port }: UdpSocket, instructions: readonly Instruction[]): void {
  const program = new NativeBuffer(instructions.length * 8);
  instructions.forEach(([code, ifTrue, ifFalse, value], i) => {
    program.view.setUint16(i * 8, code, true);
    program.view.setUint8(i * 8 + 2, ifTrue);
    program.view.setUint8(i * 8 + 3, ifFalse);
    program.view.setUint32(i * 8 + 4, value, true);
  });
  const argument = new NativeBuffer(16);
  argument.view.setUint16(0, instructions.length, true);
  setPointer(argument.view, 8, program.address);
  check(
    libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, argument.address, 16),
    'setsockopt',
    `UDP port ${port}`,
  );
}
