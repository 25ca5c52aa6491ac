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
  const startOf = startFinder(memory);
  return {
    sum(bytes, offset, length) {
      const start = startOf(bytes);
      // Out of bounds is for the plain code, which throws: here it would be the neighbouring buffer.
      if (start < 0 || !isInside(bytes, offset, length)) return plainChecksums.sum(bytes, offset, length);
      return sum(start + offset, length);
    },
    // eslint-disable-next-line max-params -- an object would be an allocation a packet
    copyAndSum(to, toOffset, from, fromOffset, length) {
      const toStart = startOf(to);
      const fromStart = startOf(from);
      const isOurs = toStart >= 0 && fromStart >= 0;
      if (!isOurs || !isInside(to, toOffset, length) || !isInside(from, fromOffset, length)) {
        return plainChecksums.copyAndSum(to, toOffset, from, fromOffset, length);
      }
      return copyAndSum(toStart + toOffset, fromStart + fromOffset, length);
    },
  };
}

function isInside(bytes: Uint8Array, offset: number, length: number): boolean {
  return offset >= 0 && length >= 0 && offset + length <= bytes.length;
}

/**
 * Finds where in `memory` an array begins: -1 if it is of other memory. The last two are remembered, since asking an
 * array for its `ArrayBuffer` costs half as much as a sum, and the data path works on two buffers.
 */
function startFinder(memory: ArrayBuffer): (bytes: Uint8Array) => number {
  let first: Uint8Array | undefined;
  let second: Uint8Array | undefined;
  let [firstStart, secondStart] = [-1, -1];
  return (bytes) => {
    if (bytes === first) return firstStart;
    if (bytes === second) return secondStart;
    [second, secondStart] = [first, firstStart];
    [first, firstStart] = [bytes, bytes.buffer === memory ? bytes.byteOffset : -1];
    return firstStart;
  };
}
