import { addressFromBytes, prefixOf, type IpAddress } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import { IPV6, isTunnelMessage, TUNNEL_HEADER_BYTES, tunnelMessage, type Checksums } from '../packet/index.ts';
import type { PathDevice, PathPeer } from './path-device.ts';
import type { PathCounters } from './path-counters.ts';
import { PerSecond, PerSecondOf } from './per-second.ts';
import type { Relay } from './relay.ts';

/** Takes a tunnel message of the node that has the address `from`. */
export type TunnelMessageSink = (message: Uint8Array, from: IpAddress) => void;

/** More than any node has to say, even when it compares all that it knows with us. */
const MESSAGES_PER_PEER = 400;
/** No message is longer (src/mesh). What is behind shows that packets of its length pass, and is not passed on. */
const LONGEST_MESSAGE = 1200;
/** Each wakes another thread, and waits there: this many are 5 MB at most, should that thread be busy for a second. */
const MESSAGES_PER_SECOND = 4000;

/**
 * The mesh's messages inside the tunnel. They go straight from a node's daemon into the session and out of it into the
 * other's: no host sees them, sends them or routes them (docs/decisions/0023-tunnel-messages-past-the-host.md).
 */
export class TunnelMessages {
  readonly #device: PathDevice;
  readonly #relay: Relay;
  readonly #counters: PathCounters;
  readonly #checksums: Checksums;
  readonly #pass: TunnelMessageSink;
  readonly #ofPeer = new PerSecondOf<PathPeer>();
  readonly #ofAll = new PerSecond();

  constructor(parts: {
    device: PathDevice;
    relay: Relay;
    counters: PathCounters;
    checksums: Checksums;
    onTunnelMessage: TunnelMessageSink;
  }) {
    this.#device = parts.device;
    this.#relay = parts.relay;
    this.#counters = parts.counters;
    this.#checksums = parts.checksums;
    this.#pass = parts.onTunnelMessage;
  }

  /** Puts `message` into the session with the peer that has the address, as soon as there is one. */
  send(message: Uint8Array, to: IpAddress, now: Millis): void {
    const peer = this.#device.allowedIps.ownerOf(prefixOf(to, 8 * to.bytes.length));
    const source = this.#relay.address;
    if (peer === undefined || source === undefined) this.#counters.noRoute++;
    else peer.stage(tunnelMessage(message, source, to.bytes), now);
  }

  /** Takes the packet at `offset`, which came in the session with `peer` and is on the port of tunnel messages. */
  // eslint-disable-next-line max-params -- an object would be an allocation a packet
  take(peer: PathPeer, bytes: Uint8Array, offset: number, length: number, now: Millis): void {
    if (!isTunnelMessage(bytes, offset, length, this.#checksums) || !this.#relay.isForUs(bytes, offset)) {
      this.#counters.tunnelMessageMalformed++;
      return;
    }
    const source = offset + IPV6.source;
    const from = addressFromBytes(bytes.slice(source, source + 16));
    // A network that the peer leads to is not the peer.
    if (this.#device.allowedIps.ownerOf(prefixOf(from, 128)) !== peer) {
      this.#counters.tunnelMessageMalformed++;
    } else if (!this.#ofPeer.take(peer, MESSAGES_PER_PEER, now) || !this.#ofAll.take(MESSAGES_PER_SECOND, now)) {
      this.#counters.tunnelMessageRateExceeded++;
    } else {
      const end = offset + Math.min(length, TUNNEL_HEADER_BYTES + LONGEST_MESSAGE);
      this.#pass(bytes.slice(offset + TUNNEL_HEADER_BYTES, end), from);
    }
  }
}
