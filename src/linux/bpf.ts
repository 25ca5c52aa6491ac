/**
 * Small programs for the kernel to run on packets. Specification: bpf(2), RFC 9669 for the instructions. Register 6 holds
 * the context in all of them, as loads from the packet want it.
 */
import { NativeBuffer, setPointer } from './native-buffer.ts';
import { check, libc } from './syscall.ts';

const BPF_PROG_LOAD = 5;
const BPF_PROG_TYPE_SOCKET_FILTER = 1;
/** `union bpf_attr` for BPF_PROG_LOAD, in bytes. */
const ATTRIBUTES = { type: 0, count: 4, instructions: 8, license: 16, end: 48 } as const;

const INSTRUCTION_BYTES = 8;
export type Instruction = readonly [
  code: number,
  destination: number,
  source: number,
  offset: number,
  immediate: number,
];

/** The packet's word, half word or byte at a place goes to register 0; where there is none, the program ends with 0. */
export const loadWord = (at: number): Instruction => [0x20, 0, 0, 0, at];
export const loadHalf = (at: number): Instruction => [0x28, 0, 0, 0, at];
export const loadByte = (at: number): Instruction => [0x30, 0, 0, 0, at];
export const loadWordBehind = (register: number): Instruction => [0x40, 0, register, 0, 0];
/** A field of the program's context (`struct __sk_buff`, linux/bpf.h), which lies where the register says. */
export const loadField = (register: number, at: number): Instruction => [0x61, 0, register, at, 0];
export const move = (to: number, from: number): Instruction => [0xbf, to, from, 0, 0];
export const set = (register: number, value: number): Instruction => [0xb7, register, 0, 0, value];
export const and = (register: number, value: number): Instruction => [0x57, register, 0, 0, value];
export const shiftLeft = (register: number, bits: number): Instruction => [0x67, register, 0, 0, bits];
export const shiftRight = (register: number, bits: number): Instruction => [0x77, register, 0, 0, bits];
export const exclusiveOr = (register: number, other: number): Instruction => [0xaf, register, other, 0, 0];
export const multiply = (register: number, value: number): Instruction => [0x27, register, 0, 0, value];
export const modulo = (register: number, value: number): Instruction => [0x97, register, 0, 0, value];
export const skip = (count: number): Instruction => [0x05, 0, 0, count, 0];
export const skipIfEqual = (register: number, value: number, count: number): Instruction => [
  0x15,
  register,
  0,
  count,
  value,
];
export const skipIfGreater = (register: number, value: number, count: number): Instruction => [
  0x25,
  register,
  0,
  count,
  value,
];
export const exit: Instruction = [0x95, 0, 0, 0, 0];

/**
 * @returns the descriptor of the program, which can read packets and nothing else
 * @throws SystemCallError without CAP_BPF or CAP_SYS_ADMIN, and where the kernel has no BPF
 */
export function loadProgram(instructions: readonly Instruction[], subject: string): number {
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
  return check(libc.bpf(BPF_PROG_LOAD, attributes.address, ATTRIBUTES.end), 'bpf', subject);
}
