import type { MessagePort } from 'node:worker_threads';
import type { Endpoint, Prefix } from '../inet/index.ts';
import type { Tun, UdpSocket } from '../linux/index.ts';
import type { SessionKeys } from '../wireguard/index.ts';
import type { ClonedError } from './thread-messages.ts';

/** What a transport thread is started with. */
export interface TransportThreadData {
  readonly port: MessagePort;
  /** Signalled when there is a message in `port`. */
  readonly wakeUpFd: number;
  /** To be signalled when there is one for the device thread. */
  readonly deviceWakeUpFd: number;
  /** Of all threads; see `TEAM_LANES`. */
  readonly lanes: SharedArrayBuffer;
  /** Of this thread, from 0. */
  readonly place: number;
}

/** What all threads of a device share, in lanes of 32 bits. From `obeyed` on there is one for each transport thread. */
export const TEAM_LANES = { attention: 0, obeyed: 1 } as const;

/** Descriptors are numbers: threads share them. Who opened them closes them. */
export type TunQueue = Pick<Tun, 'fd' | 'name' | 'offloads'>;
export type SocketPlace = Pick<UdpSocket, 'fd' | 'family' | 'port'>;

/** From the device thread to a transport thread, in the order in which things happened. Peers are known by numbers. */
export type TeamOrder =
  | { readonly kind: 'start'; readonly queue: TunQueue; readonly mtu: number }
  | { readonly kind: 'mtu'; readonly mtu: number }
  /** Use these and no others. Once that is so, the number of the order goes to the thread's lane. */
  | { readonly kind: 'sockets'; readonly sockets: readonly SocketPlace[]; readonly order: number }
  /** Use no descriptor any more, and end; `order` likewise. */
  | { readonly kind: 'end'; readonly order: number }
  /** From now on this number is that peer's. */
  | { readonly kind: 'peer'; readonly peer: number; readonly publicKey: Uint8Array }
  | { readonly kind: 'endpoint'; readonly peer: number; readonly endpoint: Endpoint | undefined }
  | { readonly kind: 'allowed-ips'; readonly peer: number; readonly prefixes: readonly Prefix[] }
  | { readonly kind: 'peer-removed'; readonly peer: number }
  | {
      readonly kind: 'keypair';
      readonly peer: number;
      /** Of the peer's `SharedEndpoint`. */
      readonly endpoint: SharedArrayBuffer;
      /** To be wiped. */
      readonly keys: SessionKeys;
      readonly session: SharedKeypair;
    }
  | { readonly kind: 'keypair-current'; readonly localIndex: number }
  | { readonly kind: 'keypair-destroyed'; readonly localIndex: number }
  /** Of all packets that this thread has staged for the peer, `count` have been sent, or dropped. */
  | { readonly kind: 'staged'; readonly peer: number; readonly count: number };

export interface SharedKeypair {
  readonly role: 'initiator' | 'responder';
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly memory: SharedArrayBuffer;
}

/** From a transport thread to the device thread. */
export type TeamReport =
  /** A packet for a peer that has no keypair here. */
  | { readonly kind: 'stage'; readonly peer: number; readonly packet: Uint8Array }
  /** A message of the keypair was authenticated that is the first, or came from another endpoint. */
  | { readonly kind: 'heard'; readonly localIndex: number; readonly from: Endpoint | undefined }
  /** A datagram that is no transport data. Hostile. */
  | { readonly kind: 'datagram'; readonly datagram: Uint8Array; readonly from: Endpoint }
  | { readonly kind: 'failed'; readonly error: ClonedError };
