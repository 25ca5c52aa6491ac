import { STAGED_PACKETS } from './constants.ts';

/** Packets that wait for a keypair: bounded, because whoever sends them need not care whether the peer answers. */
export class StagedPackets {
  #packets: Uint8Array[] = [];

  get length(): number {
    return this.#packets.length;
  }

  /** Takes `packet` over. @returns `false` if the oldest had to go for it */
  push(packet: Uint8Array): boolean {
    this.#packets.push(packet);
    if (this.#packets.length <= STAGED_PACKETS) return true;
    this.#packets.shift();
    return false;
  }

  shift(): Uint8Array | undefined {
    return this.#packets.shift();
  }

  clear(): void {
    this.#packets = [];
  }
}
