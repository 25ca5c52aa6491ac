import { BASE_MTU, mayBeFragmented } from './packet-too-big.ts';
import type { PathPeer } from './path-device.ts';

/** How long packets to a peer may be, on the way that they take now. */
export interface PacketLimit {
  readonly mtu: number;
  /**
   * Whether that is known. Before, what is longer is cut, and the host hears nothing: it would remember for ten minutes.
   */
  readonly isProved: boolean;
}

export interface PacketLimitChange extends PacketLimit {
  readonly publicKey: Uint8Array;
}

/** The limits of peers, as their owner has set them. For a peer without one, the interface's MTU is the only limit. */
export class PacketLimits {
  readonly #findPeer: (publicKey: Uint8Array) => PathPeer | undefined;
  readonly #limits = new WeakMap<PathPeer, PacketLimit>();

  constructor(findPeer: (publicKey: Uint8Array) => PathPeer | undefined) {
    this.#findPeer = findPeer;
  }

  /** Peers that there are no more are passed over. */
  set(changes: readonly PacketLimitChange[]): void {
    for (const { publicKey, mtu, isProved } of changes) {
      const peer = this.#findPeer(publicKey);
      if (peer !== undefined) this.#limits.set(peer, { mtu, isProved });
    }
  }

  of(peer: PathPeer): PacketLimit | undefined {
    return this.#limits.get(peer);
  }
}

/**
 * The MTU that the host is to be told of, in answer to the packet at `offset` that is longer than `limit`; 0 if the packet
 * is to be cut instead: where the host may not know yet, where it leaves that to others, or where IPv6 knows no smaller MTU.
 */
export function mtuToTell(bytes: Uint8Array, offset: number, longest: number, { mtu, isProved }: PacketLimit): number {
  if (!isProved || mayBeFragmented(bytes, offset)) return 0;
  if (bytes[offset] >> 4 === 4) return mtu;
  return longest > BASE_MTU ? Math.max(BASE_MTU, mtu) : 0;
}
