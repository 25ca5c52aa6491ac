import { NativeBuffer } from '../linux/index.ts';
import { CHECKSUM_MODULE, plainChecksums, type Checksums } from '../packet/index.ts';

const PAGE = 65_536;

interface ChecksumExports {
  sum(from: number, length: number): number;
  copyAndSum(to: number, from: number, length: number): number;
}

/**
 * Memory for packets, from which buffers are cut, and WebAssembly that sums over what lies in it: four times as fast as
 * the same loop in JavaScript (docs/decisions/0013-checksums-in-webassembly.md).
 */
export class PacketMemory {
  readonly #memory: ArrayBuffer;
  #allocated = 0;
  /** Fast for buffers of this memory, right for others. */
  readonly checksums: Checksums;

  /** The memory never grows, so addresses in it stay. */
  constructor(bytes: number) {
    const pages = Math.ceil(bytes / PAGE);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const module = new WebAssembly.Module(Buffer.from(CHECKSUM_MODULE, 'base64'));
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.#memory = memory.buffer;
    this.checksums = checksumsIn(memory.buffer, exports as unknown as ChecksumExports);
  }

  /** @throws RangeError if that much is not left */
  allocate(length: number): NativeBuffer {
    const start = this.#allocated;
    const buffer = new NativeBuffer(length, { memory: this.#memory, start });
    this.#allocated = (start + length + 63) & ~63;
    return buffer;
  }
}

function checksumsIn(memory: ArrayBuffer, { sum, copyAndSum }: ChecksumExports): Checksums {
  // Out of bounds is for the plain code, which throws: here it would be the neighbouring buffer.
  const isInside = (bytes: Uint8Array, offset: number, length: number): boolean =>
    bytes.buffer === memory && offset >= 0 && length >= 0 && offset + length <= bytes.length;
  return {
    sum: (bytes, offset, length) =>
      isInside(bytes, offset, length)
        ? sum(bytes.byteOffset + offset, length)
        : plainChecksums.sum(bytes, offset, length),
    // eslint-disable-next-line max-params -- an object would be an allocation a packet
    copyAndSum: (to, toOffset, from, fromOffset, length) =>
      isInside(to, toOffset, length) && isInside(from, fromOffset, length)
        ? copyAndSum(to.byteOffset + toOffset, from.byteOffset + fromOffset, length)
        : plainChecksums.copyAndSum(to, toOffset, from, fromOffset, length),
  };
}
