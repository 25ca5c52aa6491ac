/** WireGuard repeats an initiation after five seconds; so often this node has it repeated after one. */
const MAX_HURRIED = 10;

/**
 * The handshake with a node that there was none with so far. The first initiation is often lost: over relays it may
 * arrive before the other node has heard of us, or before it knows a way back.
 */
export class FirstContact {
  #seconds = 0;

  /** There is traffic for the node; to be said once a second. @returns whether the initiation is to be repeated now */
  handleActive(hasHadHandshake: boolean): boolean {
    if (hasHadHandshake) return false;
    // In the first second the initiation has just been sent.
    return this.#seconds++ > 0 && this.#seconds <= MAX_HURRIED;
  }
}
