/**
 * Receiver indices (whitepaper §5.4.2): random, unique, each of one handshake or one keypair and dead with it. Read
 * as signed integers on the inside, because those need no allocation as map keys.
 */
export class IndexTable<Handshaking, Keypair> {
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #handshakes = new Map<number, Handshaking>();
  readonly #keypairs = new Map<number, Keypair>();

  constructor(randomBytes: (length: number) => Uint8Array) {
    this.#randomBytes = randomBytes;
  }

  /** A new index, of a handshake of `handshaking`. */
  allocate(handshaking: Handshaking): number {
    for (;;) {
      const bytes = this.#randomBytes(4);
      const index = new DataView(bytes.buffer, bytes.byteOffset).getInt32(0);
      if (this.#handshakes.has(index) || this.#keypairs.has(index)) continue;
      this.#handshakes.set(index, handshaking);
      return index >>> 0;
    }
  }

  /** From now on `index` is that of `keypair`, the outcome of its handshake. */
  promote(index: number, keypair: Keypair): void {
    this.#handshakes.delete(index | 0);
    this.#keypairs.set(index | 0, keypair);
  }

  handshake(index: number): Handshaking | undefined {
    return this.#handshakes.get(index | 0);
  }

  keypair(index: number): Keypair | undefined {
    return this.#keypairs.get(index | 0);
  }

  remove(index: number): void {
    this.#handshakes.delete(index | 0);
    this.#keypairs.delete(index | 0);
  }
}
