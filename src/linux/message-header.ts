import { NativeBuffer, setPointer } from './native-buffer.ts';

/** `struct msghdr` with its one `struct iovec` behind it (recvmsg(2)), in bytes. */
const MSGHDR = {
  name: 0,
  nameLength: 8,
  pieces: 16,
  pieceCount: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
} as const;
const PIECE = { address: 56, length: 64, end: 72 } as const;

/** `struct cmsghdr` (cmsg(3)), in bytes; the next header starts on the next multiple of eight. */
export const CMSGHDR = { length: 0, level: 8, type: 12, contents: 16 } as const;

const MSG_TRUNC = 0x20;

/** What `recvmsg` and `sendmsg` take: one peer's name, one piece of memory, control messages. Built once, used again. */
export class MessageHeader {
  readonly #header = new NativeBuffer(PIECE.end);
  readonly #view = this.#header.view;
  readonly address = this.#header.address;
  readonly control: NativeBuffer;

  constructor(controlLength: number) {
    this.control = new NativeBuffer(controlLength);
    setPointer(this.#view, MSGHDR.pieces, this.#header.address + PIECE.address);
    this.#view.setUint32(MSGHDR.pieceCount, 1, true);
    setPointer(this.#view, MSGHDR.control, this.control.address);
  }

  setName(address: number, length: number): void {
    setPointer(this.#view, MSGHDR.name, address);
    this.#view.setUint32(MSGHDR.nameLength, length, true);
  }

  setPiece(address: number, length: number): void {
    setPointer(this.#view, PIECE.address, address);
    this.#view.setUint32(PIECE.length, length, true);
  }

  /** How much of `control` is handed to the kernel, or was filled by it. */
  get controlLength(): number {
    return this.#view.getUint32(MSGHDR.controlLength, true);
  }

  set controlLength(length: number) {
    this.#view.setUint32(MSGHDR.controlLength, length, true);
  }

  /** Whether the message did not fit the piece, and the rest is lost. */
  get isTruncated(): boolean {
    return (this.#view.getUint32(MSGHDR.flags, true) & MSG_TRUNC) !== 0;
  }
}
