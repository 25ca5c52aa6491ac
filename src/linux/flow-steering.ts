import { NativeBuffer, setPointer } from './native-buffer.ts';
import { check, libc } from './syscall.ts';

/**
 * Which queue of a TUN device a packet of the host goes to. Left to itself the kernel moves a flow to the queue that its
 * answers were written to while earlier packets still wait in another, and they overtake each other. The program here
 * goes by addresses and ports alone, so that a flow keeps its queue. Fragments have no ports and go by addresses.
 * Specification: bpf(2), RFC 9669 for the instructions; TUNSETSTEERINGEBPF of the kernel's linux/if_tun.h.
 */
const TUNSETSTEERINGEBPF = 0x800454e0;

const BPF_PROG_LOAD = 5;
const BPF_PROG_TYPE_SOCKET_FILTER = 1;
/** `union bpf_attr` for BPF_PROG_LOAD, in bytes. */
const ATTRIBUTES = { type: 0, count: 4, instructions: 8, license: 16, end: 48 } as const;

const INSTRUCTION_BYTES = 8;
type Instruction = readonly [code: number, destination: number, source: number, offset: number, immediate: number];

/** The packet's word, half word or byte at a place goes to register 0; where there is none, the program ends with 0. */
const loadWord = (at: number): Instruction => [0x20, 0, 0, 0, at];
const loadHalf = (at: number): Instruction => [0x28, 0, 0, 0, at];
const loadByte = (at: number): Instruction => [0x30, 0, 0, 0, at];
const loadWordBehind = (register: number): Instruction => [0x40, 0, register, 0, 0];
const move = (to: number, from: number): Instruction => [0xbf, to, from, 0, 0];
const set = (register: number, value: number): Instruction => [0xb7, register, 0, 0, value];
const and = (register: number, value: number): Instruction => [0x57, register, 0, 0, value];
const shiftLeft = (register: number, bits: number): Instruction => [0x67, register, 0, 0, bits];
const shiftRight = (register: number, bits: number): Instruction => [0x77, register, 0, 0, bits];
const exclusiveOr = (register: number, other: number): Instruction => [0xaf, register, other, 0, 0];
const multiply = (register: number, value: number): Instruction => [0x27, register, 0, 0, value];
const modulo = (register: number, value: number): Instruction => [0x97, register, 0, 0, value];
const skip = (count: number): Instruction => [0x05, 0, 0, count, 0];
const skipIfEqual = (register: number, value: number, count: number): Instruction => [0x15, register, 0, count, value];
const exit: Instruction = [0x95, 0, 0, 0, 0];

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
  const programFd = load(program(queues));
  const argument = new NativeBuffer(4);
  argument.view.setInt32(0, programFd, true);
  try {
    check(libc.ioctl(fd, TUNSETSTEERINGEBPF, argument.address), 'ioctl', 'a TUN device with several queues');
  } finally {
    // The device keeps the program.
    libc.close(programFd);
  }
}

function load(instructions: readonly Instruction[]): number {
  const code = new NativeBuffer(instructions.length * INSTRUCTION_BYTES);
  instructions.forEach(([operation, destination, source, offset, immediate], i) => {
    const at = i * INSTRUCTION_BYTES;
    code.view.setUint8(at, operation);
    code.view.setUint8(at + 1, destination | (source << 4));
    code.view.setInt16(at + 2, offset, true);
    code.view.setInt32(at + 4, immediate, true);
  });
  const license = new NativeBuffer(4);
  license.bytes.set([0x4d, 0x49, 0x54]); // MIT
  const attributes = new NativeBuffer(ATTRIBUTES.end);
  attributes.view.setUint32(ATTRIBUTES.type, BPF_PROG_TYPE_SOCKET_FILTER, true);
  attributes.view.setUint32(ATTRIBUTES.count, instructions.length, true);
  setPointer(attributes.view, ATTRIBUTES.instructions, code.address);
  setPointer(attributes.view, ATTRIBUTES.license, license.address);
  return check(libc.bpf(BPF_PROG_LOAD, attributes.address, ATTRIBUTES.end), 'bpf', 'the steering of flows');
}
