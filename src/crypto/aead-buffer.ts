import koffi from 'koffi';

/**
 * Memory that OpenSSL is to read and write. What reaches it is an address and a number of bytes, so `checkRange` is the
 * line that keeps it inside the caller's buffer.
 */
export class AddressedBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly address: number;
  /** By offset; see `at`. */
  readonly #places: (number | undefined)[] | undefined;

  constructor(bytes: Uint8Array, isKept = false) {
    this.bytes = bytes;
    // Asking for its `ArrayBuffer` is also what takes a small array off the moving heap.
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.address = Number(koffi.address(bytes));
    if (isKept) this.#places = new Array<undefined>(bytes.length + 1).fill(undefined);
  }

  /**
   * The address of the byte at `offset`, from 0 to the length. A number so large is an object of the heap when it is
   * handed to a native function. So those of a large buffer are made once: a packet has three or four of them.
   */
  at(offset: number): number {
    if (this.#places === undefined) return this.address + offset;
    return (this.#places[offset] ??= this.address + offset);
  }
}

/** @throws RangeError unless `length` bytes from `offset`, and `room` more behind them, are inside `buffer` */
export function checkRange(buffer: Uint8Array, offset: number, length: number, room: number): void {
  const inside = (offset & 0x7fffffff) === offset && (length & 0x7fffffff) === length;
  if (inside && offset + length + room <= buffer.length) return;
  throw new RangeError(`${length} + ${room} bytes from ${offset} are not inside a buffer of ${buffer.length}`);
}

/** Zeroed memory whose address stays: V8 moves small arrays unless they are made over an `ArrayBuffer`. */
export function addressedBuffer(length: number): AddressedBuffer {
  return new AddressedBuffer(new Uint8Array(new ArrayBuffer(length)));
}

/** From this length on it is a buffer of the data path, which is used for as long as that runs. */
const LARGE = 65_536;
const large = new WeakMap<Uint8Array, AddressedBuffer>();

/**
 * The last few buffers, since asking for an address costs more than a call. A buffer is kept alive while it is in the
 * table; one that was detached since has length 0, which `checkRange` refuses.
 */
const known: AddressedBuffer[] = Array.from({ length: 8 }, () => addressedBuffer(0));
let oldest = 0;

export function addressed(bytes: Uint8Array): AddressedBuffer {
  for (let i = 0; i < known.length; i++) if (known[i].bytes === bytes) return known[i];
  const buffer = large.get(bytes) ?? new AddressedBuffer(bytes, bytes.length >= LARGE);
  if (bytes.length >= LARGE) large.set(bytes, buffer);
  known[oldest] = buffer;
  oldest = (oldest + 1) % known.length;
  return buffer;
}
