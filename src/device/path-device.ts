import type { Endpoint } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import type { AllowedIps, KeypairOf } from '../wireguard/index.ts';

/** What the data path needs of a peer: `Peer` in the device thread, a replica of it in a transport thread. */
export interface PathPeer {
  readonly publicKey: Uint8Array;
  readonly endpoint: Endpoint | undefined;
  sendingKeypair(now: Millis): PathKeypair | undefined;
  /** Sends a copy of `packet` as soon as there is a keypair, which may be at once. */
  stage(packet: Uint8Array, now: Millis): void;
  afterSending(keypair: PathKeypair, packets: number, bytes: number, now: Millis): void;
  afterReceiving(
    keypair: PathKeypair,
    batch: { readonly packets: number; readonly bytes: number },
    from: Endpoint | undefined,
    now: Millis,
  ): void;
}

export type PathKeypair = KeypairOf<PathPeer>;

/** What the data path needs of the device, likewise. */
export interface PathDevice {
  readonly allowedIps: Pick<AllowedIps<PathPeer>, 'lookupDestination' | 'lookupSource' | 'ownerOf'>;
  mayRoam(peer: PathPeer, from: Endpoint): boolean;
  readonly mtu: number;
  underLoad: boolean;
  findPeer(publicKey: Uint8Array): PathPeer | undefined;
  isSourceAllowed(bytes: Uint8Array, offset: number, peer: PathPeer): boolean;
  findKeypair(receiverIndex: number): PathKeypair | undefined;
  handleDatagram(datagram: Uint8Array, from: Endpoint, now: Millis): void;
  // As in `Device`.

  isFlood(bytes: Uint8Array, offset: number, length: number, source: Uint8Array, now: Millis): boolean;
}
