import { NativeBuffer, PieceList, type Tun } from '../linux/index.ts';
import {
  Coalescer,
  MAX_PIECES,
  REFUSED,
  type Checksums,
  VIRTIO_HEADER_BYTES,
  writeVirtioHeader,
  emptyVirtioHeader,
} from '../packet/index.ts';
import type { PathCounters } from './path-counters.ts';

/** Takes packets for the host. */
export type PacketWriter = Pick<TunWriter, 'add' | 'flush'>;

/**
 * Writes packets to the TUN device, TCP segments that belong together as one large packet. The packets are not
 * copied: the kernel gathers them from the buffer they lie in.
 */
export class TunWriter {
  readonly #tun: Tun;
  readonly #counters: PathCounters;
  readonly #coalescer: Coalescer;
  readonly #header = emptyVirtioHeader();
  readonly #headerBytes = new NativeBuffer(VIRTIO_HEADER_BYTES);
  readonly #pieces = new PieceList(MAX_PIECES + 1);

  constructor(tun: Tun, counters: PathCounters, checksums: Checksums) {
    this.#coalescer = new Coalescer(checksums);
    this.#tun = tun;
    this.#counters = counters;
    this.#pieces.set(0, this.#headerBytes.address, VIRTIO_HEADER_BYTES);
  }

  /** Takes a packet that lies in `buffer`, which must not change before `flush`. */
  add(buffer: NativeBuffer, offset: number, length: number): void {
    if (this.#coalescer.add(buffer.bytes, offset, length) !== REFUSED) return;
    this.flush(buffer);
    this.#coalescer.add(buffer.bytes, offset, length);
  }

  /** Writes what is still held back. */
  flush(buffer: NativeBuffer): void {
    const count = this.#coalescer.finish(buffer.bytes, this.#header);
    if (count === 0) return;
    writeVirtioHeader(this.#headerBytes.bytes, 0, this.#header);
    const { pieceOffsets, pieceLengths } = this.#coalescer;
    for (let i = 0; i < count; i++) this.#pieces.set(i + 1, buffer.address + pieceOffsets[i], pieceLengths[i]);
    if (!this.#tun.write(this.#pieces, count + 1)) this.#counters.deliveryErrors++;
  }
}
