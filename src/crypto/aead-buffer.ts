import koffi from 'koffi';

/**
 * Memory that OpenSSL is to read and write. What reaches it is an address and a number of bytes, so `checkRange` is the
 * line that keeps it inside the caller's buffer.
 */
export interface AddressedBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly address: number;
}

/** @throws RangeError unless `length` bytes from `offset`, and `room` more behind them, are inside `buffer` */
export function checkRange(buffer: Uint8Array, offset: number, length: number, room: number): void {
  const inside = (offset & 0x7fffffff) === offset && (length & 0x7fffffff) === length;
  if (inside && offset + length + room <= buffer.length) return;
  throw new RangeError(`${length} + ${room} bytes from ${offset} are not inside a buffer of ${buffer.length}`);
}

/** Zeroed memory whose address stays: V8 moves small arrays unless they are made over an `ArrayBuffer`. */
export function addressedBuffer(length: number): AddressedBuffer {
  return read(new Uint8Array(new ArrayBuffer(length)));
}

/**
 * The last few buffers, since asking for an address costs more than a call. A buffer is kept alive while it is in the
 * table; one that was detached since has length 0, which `checkRange` refuses.
 */
const known: AddressedBuffer[] = Array.from({ length: 8 }, () => read(new Uint8Array(0)));
let oldest = 0;

export function addressed(bytes: Uint8Array): AddressedBuffer {
  for (let i = 0; i < known.length; i++) if (known[i].bytes === bytes) return known[i];
  const buffer = read(bytes);
  known[oldest] = buffer;
  oldest = (oldest + 1) % known.length;
  return buffer;
}

function read(bytes: Uint8Array): AddressedBuffer {
  // Asking for its `ArrayBuffer` is also what takes a small array off the moving heap.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes, view, address: Number(koffi.address(bytes)) };
}
