/**
 * Messages inside the tunnel, cut for paths that do not carry the 1,200 bytes that IPv6 promises: a tunnel message is
 * never a fragment of IP (docs/decisions/0023-tunnel-messages-past-the-host.md), so these are cut here.
 */

/** A part of a message. */
export interface MessageFragment {
  readonly kind: 'fragment';
  /** The same in all parts of one message, another in the sender's next one. */
  readonly id: number;
  readonly index: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

/** Where the fields lie, in bytes. */
const FRAGMENT = { id: 0, index: 4, count: 5, bytes: 6 } as const;
const MAX_COUNT = 8;
/** Messages of one sender that are not whole yet. */
const MAX_MESSAGES = 4;
const LONGEST = 1200;

export function lengthOfFragment({ bytes }: MessageFragment): number {
  return FRAGMENT.bytes + bytes.length;
}

export function writeFragment({ id, index, count, bytes }: MessageFragment, body: Uint8Array): void {
  new DataView(body.buffer, body.byteOffset).setUint32(FRAGMENT.id, id);
  body.set([index, count], FRAGMENT.index);
  body.set(bytes, FRAGMENT.bytes);
}

export function readFragment(body: Uint8Array): MessageFragment | undefined {
  const count = body[FRAGMENT.count];
  const index = body[FRAGMENT.index];
  if (body.length <= FRAGMENT.bytes || count > MAX_COUNT || index >= count) return undefined;
  const id = new DataView(body.buffer, body.byteOffset).getUint32(FRAGMENT.id);
  return { kind: 'fragment', id, index, count, bytes: body.subarray(FRAGMENT.bytes) };
}

/** The parts of `datagram`, each with `most` bytes of it. */
export function fragmentsOf(datagram: Uint8Array, id: number, most: number): MessageFragment[] {
  const count = Math.ceil(datagram.length / most);
  return Array.from({ length: count }, (_, index) => ({
    ...({ kind: 'fragment', id, index, count } as const),
    bytes: datagram.subarray(index * most, (index + 1) * most),
  }));
}

/** Puts the messages of one sender together again. */
export class MessageAssembly {
  /** By id, the oldest first. */
  readonly #partial = new Map<number, (Uint8Array | undefined)[]>();

  /** @returns the message, once its last part is there */
  take({ id, index, count, bytes }: MessageFragment): Uint8Array | undefined {
    const parts = this.#partial.get(id) ?? new Array<undefined>(count).fill(undefined);
    if (parts.length !== count) return undefined;
    parts[index] = bytes.slice();
    this.#partial.set(id, parts);
    for (const oldest of this.#partial.keys()) if (this.#partial.size > MAX_MESSAGES) this.#partial.delete(oldest);
    const present = parts.filter((part) => part !== undefined);
    if (present.length < count) return undefined;
    this.#partial.delete(id);
    const length = present.reduce((sum, part) => sum + part.length, 0);
    if (length > LONGEST) return undefined;
    const whole = new Uint8Array(length);
    let at = 0;
    for (const part of present) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
