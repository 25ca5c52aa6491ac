import type { Endpoint, Prefix } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';

/**
 * The device's one control contract, get and set, as typed values: what UAPI says in text
 * (https://www.wireguard.com/xplatform/#configuration-protocol). Absent means "leave as it is".
 */
export interface DeviceChange {
  /** 32 bytes; all zeros take the private key away. */
  readonly privateKey?: Uint8Array;
  /** 0 picks a free port. Binding it is the business of whoever owns the socket. */
  readonly listenPort?: number;
  /** 0 takes the mark away. */
  readonly fwmark?: number;
  readonly replacePeers?: boolean;
  readonly peers?: readonly PeerChange[];
}

export interface PeerChange {
  readonly publicKey: Uint8Array;
  readonly remove?: boolean;
  /** Change only a peer that exists. */
  readonly updateOnly?: boolean;
  /** 32 bytes; all zeros take the preshared key away. */
  readonly presharedKey?: Uint8Array;
  readonly endpoint?: Endpoint;
  /** In seconds, 0–65535; 0 switches it off. */
  readonly persistentKeepalive?: number;
  readonly replaceAllowedIps?: boolean;
  readonly allowedIps?: readonly AllowedIpChange[];
  /**
   * Sources that the peer may use besides its allowed IPs, in place of those before: where several peers lead to a
   * prefix, one of them has it and the others may still answer. A longer allowed IP of another peer comes first. Not in
   * UAPI.
   */
  readonly acceptFrom?: readonly Prefix[];
  /** Repeat the initiation that waits for an answer, before its REKEY_TIMEOUT. Not in UAPI. */
  readonly repeatInitiation?: true;
}

export interface AllowedIpChange {
  readonly prefix: Prefix;
  /** Take the prefix away from this peer (the newer UAPI's `allowed_ip=-…`); nothing happens if another peer has it. */
  readonly remove?: boolean;
}

export interface DeviceState {
  readonly privateKey: Uint8Array | undefined;
  readonly publicKey: Uint8Array | undefined;
  /** The port that is bound, or asked for while none is. */
  readonly listenPort: number;
  readonly fwmark: number;
  readonly peers: readonly PeerState[];
}

/** Wipes the keys of a change that was made, or of a state that was shown. */
export function wipeSecrets({
  privateKey,
  peers = [],
}: Pick<DeviceChange | DeviceState, 'privateKey' | 'peers'>): void {
  privateKey?.fill(0);
  for (const { presharedKey } of peers) presharedKey?.fill(0);
}

export interface PeerState {
  readonly publicKey: Uint8Array;
  readonly presharedKey: Uint8Array | undefined;
  readonly endpoint: Endpoint | undefined;
  /** Unix time of the last handshake that this side knows to be complete. */
  readonly lastHandshakeAt: Millis | undefined;
  /** Bytes on the wire: all messages of the protocol, without IP and UDP headers. */
  readonly txBytes: number;
  readonly rxBytes: number;
  /** In seconds; 0 is off. */
  readonly persistentKeepalive: number;
  readonly allowedIps: readonly Prefix[];
}
