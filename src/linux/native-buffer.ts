import { addressOf } from './syscall.ts';

const PAGE = 4096;

/**
 * Memory that the kernel reads and writes by its address, allocated once and used again. Memory of a page and more
 * starts on a page, smaller memory on eight bytes at least. The address is good for as long as this object is referenced.
 */
export class NativeBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address: number;

  /** A part of `within`, if that is given; it must never be detached. */
  constructor(length: number, within?: { readonly memory: ArrayBuffer; readonly start: number }) {
    const { memory, start } = within ?? alignedMemory(length);
    this.address = addressOf(memory) + start;
    this.bytes = new Uint8Array(memory, start, length);
    this.view = new DataView(memory, start, length);
  }
}

function alignedMemory(length: number): { memory: ArrayBuffer; start: number } {
  const alignment = length < PAGE ? 8 : PAGE;
  const memory = new ArrayBuffer(length + alignment);
  return { memory, start: -addressOf(memory) & (alignment - 1) };
}

/** Writes a pointer into a structure: in two halves instead of as one BigInt, which would be allocated. */
export function setPointer(view: DataView, offset: number, address: number): void {
  view.setUint32(offset, address >>> 0, true);
  view.setUint32(offset + 4, address / 0x1_0000_0000, true);
}
