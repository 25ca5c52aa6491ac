import { STAGED_BYTES, STAGED_PACKETS } from './constants.ts';

/**
 * Packets that wait for a keypair: bounded in number and in bytes, because whoever sends them, the host or a neighbour
 * that has them relayed, need not care whether the peer answers.
 */
export class StagedPackets {
  #packets: Uint8Array[] = [];
  #bytes = 0;

  get length(): number {
    return this.#packets.length;
  }

  /** Takes `packet` over. @returns how many of the oldest had to go for it */
  push(packet: Uint8Array): number {
    this.#packets.push(packet);
    this.#bytes += packet.length;
    let gone = 0;
    while (this.#packets.length > STAGED_PACKETS || this.#bytes > STAGED_BYTES) {
      this.shift();
      gone++;
    }
    return gone;
  }

  shift(): Uint8Array | undefined {
    const packet = this.#packets.shift();
    this.#bytes -= packet?.length ?? 0;
    return packet;
  }

  clear(): void {
    this.#packets = [];
    this.#bytes = 0;
  }
}
