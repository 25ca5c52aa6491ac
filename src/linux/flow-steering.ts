import {
  and,
  exclusiveOr,
  exit,
  loadByte,
  loadHalf,
  loadProgram,
  loadWord,
  loadWordBehind,
  modulo,
  move,
  multiply,
  set,
  shiftLeft,
  shiftRight,
  skip,
  skipIfEqual,
  type Instruction,
} from './bpf.ts';
import { NativeBuffer } from './native-buffer.ts';
import { check, libc } from './syscall.ts';

/**
 * Which queue of a TUN device a packet of the host goes to. Left to itself the kernel moves a flow to the queue that its
 * answers were written to while earlier packets still wait in another, and they overtake each other. The program here
 * goes by addresses and ports alone, so that a flow keeps its queue. Fragments have no ports and go by addresses.
 * Specification: TUNSETSTEERINGEBPF of the kernel's linux/if_tun.h.
 */
const TUNSETSTEERINGEBPF = 0x800454e0;

const PACKET = 6;
const HASH = 7;
const PROTOCOL = 8;
const PORTS = 9;
const TCP = 6;
const UDP = 17;

/** Odd, and 2^32 divided by the golden ratio, as Knuth has it for multiplicative hashing (TAOCP 3, §6.4). */
const MULTIPLIER = 0x61c8_8647;

const mix: readonly Instruction[] = [exclusiveOr(HASH, 0), multiply(HASH, MULTIPLIER)];
const mixWords = (first: number, count: number): readonly Instruction[] =>
  Array.from({ length: count }, (_, i) => [loadWord(first + 4 * i), ...mix]).flat();

function program(queues: number): readonly Instruction[] {
  const end = [move(0, HASH), shiftRight(0, 32), modulo(0, queues), exit];
  const portsAndEnd = [
    skipIfEqual(PROTOCOL, TCP, 2),
    skipIfEqual(PROTOCOL, UDP, 1),
    skip(3),
    loadWordBehind(PORTS),
    ...mix,
    ...end,
  ];
  const ipv6 = [...mixWords(8, 8), loadByte(6), move(PROTOCOL, 0), set(PORTS, 40)];
  const ipv4 = [
    ...mixWords(12, 2),
    loadByte(0),
    and(0, 0x0f),
    shiftLeft(0, 2),
    move(PORTS, 0),
    loadByte(9),
    move(PROTOCOL, 0),
    loadHalf(6),
    and(0, 0x3fff), // more fragments, or not the first
    skipIfEqual(0, 0, 1),
    set(PROTOCOL, 0),
    skip(ipv6.length),
  ];
  return [
    move(PACKET, 1),
    set(HASH, 1),
    loadByte(0),
    shiftRight(0, 4),
    skipIfEqual(0, 6, ipv4.length),
    ...ipv4,
    ...ipv6,
    ...portsAndEnd,
  ];
}

/**
 * Has each flow keep one of the first `queues` queues of the TUN device that `fd` is a queue of.
 * @throws SystemCallError without CAP_BPF or CAP_SYS_ADMIN, and where the kernel has no BPF
 */
export function steerFlows(fd: number, queues: number): void {
  const programFd = loadProgram(program(queues), 'the steering of flows');
  const argument = new NativeBuffer(4);
  argument.view.setInt32(0, programFd, true);
  try {
    check(libc.ioctl(fd, TUNSETSTEERINGEBPF, argument.address), 'ioctl', 'a TUN device with several queues');
  } finally {
    // The device keeps the program.
    libc.close(programFd);
  }
}
