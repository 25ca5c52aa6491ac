import type { AeadName } from '../crypto/aead.ts';
import type { Endpoint, IpAddress } from '../inet/index.ts';
import type { DatagramForm } from '../linux/index.ts';
import type { DeviceChange, DeviceState, Timing } from '../wireguard/index.ts';
import type { PacketLimitChange } from './packet-limits.ts';
import type { PathCounters } from './path-counters.ts';
import type { RelayConfiguration } from './relay.ts';
import type { RelayRouteChange } from './relay-table.ts';

/** What the device thread is started with. Plain values: they are cloned into the thread. */
export interface DeviceThreadOptions {
  /** Name of the interface; `%d` lets the kernel pick a number. */
  readonly name: string;
  readonly mtu: number;
  /** Whitepaper §6 times, for tests only (docs/testing.md, "the timing hook"). */
  readonly timing?: Partial<Timing> | undefined;
  /** Where to write the secrets of handshakes: whoever has the file can read the traffic. */
  readonly keyLogFile?: string | undefined;
  /** How many threads seal and open packets (docs/decisions/0012-several-threads.md); 1 unless given. */
  readonly threads?: number | undefined;
}

/** From the owner's thread to the device thread. What has an `id` is answered by a `Reply` with the same one. */
export type Command =
  | { readonly kind: 'configure'; readonly id: number; readonly change: DeviceChange }
  /** `peers` are the public keys of those that are asked for, all if missing. */
  | {
      readonly kind: 'state';
      readonly id: number;
      readonly withSecrets: boolean;
      readonly peers?: readonly Uint8Array[] | undefined;
    }
  | { readonly kind: 'join-group'; readonly id: number; readonly group: IpAddress; readonly interfaceIndex: number }
  | { readonly kind: 'take-control'; readonly id: number; readonly options: ControlOptions }
  | { readonly kind: 'known-sources'; readonly id: number; readonly addresses: readonly IpAddress[] }
  | { readonly kind: 'configure-relay'; readonly id: number; readonly configuration: RelayConfiguration }
  | { readonly kind: 'relay-routes'; readonly id: number; readonly changes: readonly RelayRouteChange[] }
  | { readonly kind: 'packet-limits'; readonly id: number; readonly changes: readonly PacketLimitChange[] }
  | { readonly kind: 'counters'; readonly id: number }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'send'; readonly datagram: Uint8Array; readonly to: Endpoint }
  | { readonly kind: 'send-in-tunnel'; readonly message: Uint8Array; readonly to: IpAddress };

/** Which control messages there are, and where else they are to be heard. */
export interface ControlOptions {
  readonly form: DatagramForm;
  /** What those of others of the kind look like, of which the first few are passed on, so that the owner can tell of them. */
  readonly kin: DatagramForm;
  /** A port beside WireGuard's, shared with other programs. */
  readonly sharedPort?: number | undefined;
}

/** An error as it crosses the threads: structured cloning would lose its class and its code. */
export interface ClonedError {
  readonly code: string;
  readonly message: string;
}

/** From the device thread to its owner. */
export type Report =
  | {
      readonly kind: 'started';
      readonly interfaceName: string;
      readonly aeadName: AeadName;
      readonly aeadReason?: string | undefined;
      readonly mayBeUrgent: boolean;
      readonly threads: number;
      /** Why there are fewer than were asked for. */
      readonly threadsReason?: string | undefined;
    }
  | {
      readonly kind: 'reply';
      readonly id: number;
      readonly state?: DeviceState;
      readonly counters?: PathCounters;
      readonly reason?: string | undefined;
    }
  | { readonly kind: 'refused'; readonly id: number; readonly error: ClonedError }
  | { readonly kind: 'datagram'; readonly datagram: Uint8Array; readonly from: Endpoint }
  | { readonly kind: 'tunnel-message'; readonly message: Uint8Array; readonly from: IpAddress }
  | DeviceEvent;

/** What a running device tells its owner unasked. */
export type DeviceEvent =
  | { readonly kind: 'handshake-complete'; readonly publicKey: Uint8Array }
  | { readonly kind: 'handshake-abandoned'; readonly publicKey: Uint8Array }
  /**
   * There is data for the peer: of the host, other than the mesh's own messages, or of others who are relayed over it.
   * Told once a second while there is. Only where relaying is configured, as the next one.
   */
  | { readonly kind: 'peer-active'; readonly publicKey: Uint8Array }
  /** The kernel refused what was to be sent to the peer's endpoint; `errno` is its name. Told once a second at most. */
  | { readonly kind: 'path-error'; readonly publicKey: Uint8Array; readonly errno: string }
  /** The interface that leads to the peer's endpoint takes no datagram of the length that was sent. As rarely. */
  | { readonly kind: 'length-refused'; readonly publicKey: Uint8Array }
  /**
   * The kernel forbids what the owner wanted sent: a firewall or a security module of this host. `errno` is its name. Told
   * once a minute at most.
   */
  | { readonly kind: 'send-forbidden'; readonly to: Endpoint; readonly errno: string }
  /** Nothing more is written to the key log; the tunnel goes on. */
  | { readonly kind: 'key-log-failed'; readonly error: ClonedError }
  /** The kernel took the interface away (`ip link delete`): the thread has ended. */
  | { readonly kind: 'interface-removed' }
  | { readonly kind: 'failed'; readonly error: ClonedError };
