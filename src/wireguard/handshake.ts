import type { KeyPair, Primitives } from '../crypto/primitives.ts';
import type { Dropped } from './drop-reason.ts';
import { writeInitiation, writeResponse, type HandshakeInitiation, type HandshakeResponse } from './messages.ts';
import { Transcript } from './noise.ts';

/**
 * The handshake, Noise_IKpsk2 (whitepaper §5.4), as functions from a state and a message to the next state or a
 * reason to drop the message. Nothing that is handed in changes, except what a function says it uses up. A shared
 * secret of zeros is refused at every step: it would mean that the other side chose a public key that fixes the
 * result.
 */

/** What the initiator has to remember until the response comes. */
export interface InitiationSent {
  readonly transcript: Transcript;
  readonly ephemeral: KeyPair;
  readonly localIndex: number;
}

/** What the responder has to remember between the steps of answering one initiation. */
export interface OpenedInitiation {
  /** Used up by the next step. */
  readonly transcript: Transcript;
  readonly message: HandshakeInitiation;
  /** Who the initiator says it is; not proved before `authenticateInitiation`. */
  readonly staticPublicKey: Uint8Array;
}

/** The transport keys; whoever makes something of them wipes them. */
export interface SessionKeys {
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
}

/**
 * What a key log holds of one handshake: whoever has these and the messages can read the session. Copies, which
 * belong to whoever takes them.
 */
export interface HandshakeSecrets {
  readonly localStaticPrivateKey: Uint8Array;
  readonly remoteStaticPublicKey: Uint8Array;
  readonly localEphemeralPrivateKey: Uint8Array;
  /** All zeros stand for none. */
  readonly presharedKey: Uint8Array;
}

const ZERO_SHARED_SECRET: Dropped = { drop: 'zero-shared-secret' };
const NOT_AUTHENTIC: Dropped = { drop: 'handshake-not-authentic' };

/** The first message (§5.4.2), with both macs zero. `staticStatic` is DH(S_i, S_r); the ephemeral key must be fresh. */
export function createInitiation(
  primitives: Primitives,
  local: KeyPair,
  remote: { readonly publicKey: Uint8Array; readonly staticStatic: Uint8Array },
  fresh: { readonly ephemeral: KeyPair; readonly localIndex: number; readonly timestamp: Uint8Array },
): { readonly datagram: Uint8Array; readonly sent: InitiationSent } | Dropped {
  const { ephemeral, localIndex } = fresh;
  const transcript = Transcript.start(primitives, remote.publicKey);
  mixEphemeral(transcript, ephemeral.publicKey);
  const ephemeralStatic = primitives.sharedSecret(ephemeral.privateKey, remote.publicKey);
  if (ephemeralStatic === undefined) return ZERO_SHARED_SECRET;
  mixOnce(transcript, ephemeralStatic);
  const sealedStatic = transcript.seal(local.publicKey);
  transcript.mixKey(remote.staticStatic);
  const timestamp = transcript.seal(fresh.timestamp);
  const datagram = writeInitiation({
    sender: localIndex,
    ephemeral: ephemeral.publicKey,
    static: sealedStatic,
    timestamp,
  });
  return { datagram, sent: { transcript, ephemeral, localIndex } };
}

/** First step of the responder: one curve operation to learn who the initiator claims to be. */
export function openInitiation(
  primitives: Primitives,
  local: KeyPair,
  message: HandshakeInitiation,
): OpenedInitiation | Dropped {
  const transcript = Transcript.start(primitives, local.publicKey);
  mixEphemeral(transcript, message.ephemeral);
  const staticEphemeral = primitives.sharedSecret(local.privateKey, message.ephemeral);
  if (staticEphemeral === undefined) return ZERO_SHARED_SECRET;
  mixOnce(transcript, staticEphemeral);
  const staticPublicKey = transcript.open(message.static);
  if (staticPublicKey === undefined) {
    transcript.wipe();
    return NOT_AUTHENTIC;
  }
  return { transcript, message, staticPublicKey };
}

/** Second step: proof that the initiator has its static key. Uses up `opened.transcript`. @returns the timestamp */
export function authenticateInitiation(
  opened: OpenedInitiation,
  staticStatic: Uint8Array,
): { readonly timestamp: Uint8Array } | Dropped {
  opened.transcript.mixKey(staticStatic);
  const timestamp = opened.transcript.open(opened.message.timestamp);
  return timestamp === undefined ? NOT_AUTHENTIC : { timestamp };
}

/** The second message (§5.4.3), with both macs zero, for an authenticated initiation, which is used up. */
export function createResponse(
  primitives: Primitives,
  opened: OpenedInitiation,
  presharedKey: Uint8Array,
  fresh: { readonly ephemeral: KeyPair; readonly localIndex: number },
): { readonly datagram: Uint8Array; readonly keys: SessionKeys } | Dropped {
  const { transcript, message, staticPublicKey } = opened;
  const { ephemeral, localIndex } = fresh;
  const ephemeralEphemeral = primitives.sharedSecret(ephemeral.privateKey, message.ephemeral);
  const ephemeralStatic = primitives.sharedSecret(ephemeral.privateKey, staticPublicKey);
  ephemeral.privateKey.fill(0);
  if (ephemeralEphemeral === undefined || ephemeralStatic === undefined) return ZERO_SHARED_SECRET;
  mixEphemeral(transcript, ephemeral.publicKey);
  mixSecrets(transcript, ephemeralEphemeral, ephemeralStatic);
  transcript.mixPresharedKey(presharedKey);
  const empty = transcript.seal(new Uint8Array(0));
  const datagram = writeResponse({
    sender: localIndex,
    receiver: message.sender,
    ephemeral: ephemeral.publicKey,
    empty,
  });
  const [receiveKey, sendKey] = transcript.split();
  return { datagram, keys: { sendKey, receiveKey } };
}

/** The initiator's last step. `sent` is as it was if the response is dropped: the right one may still come. */
export function consumeResponse(
  primitives: Primitives,
  local: KeyPair,
  sent: InitiationSent,
  response: { readonly message: HandshakeResponse; readonly presharedKey: Uint8Array },
): SessionKeys | Dropped {
  const { message, presharedKey } = response;
  const ephemeralEphemeral = primitives.sharedSecret(sent.ephemeral.privateKey, message.ephemeral);
  const staticEphemeral = primitives.sharedSecret(local.privateKey, message.ephemeral);
  if (ephemeralEphemeral === undefined || staticEphemeral === undefined) return ZERO_SHARED_SECRET;
  const transcript = sent.transcript.copy();
  mixEphemeral(transcript, message.ephemeral);
  mixSecrets(transcript, ephemeralEphemeral, staticEphemeral);
  transcript.mixPresharedKey(presharedKey);
  if (transcript.open(message.empty) === undefined) {
    transcript.wipe();
    return NOT_AUTHENTIC;
  }
  const [sendKey, receiveKey] = transcript.split();
  return { sendKey, receiveKey };
}

/** Forgets the secrets of an initiation that will not be answered any more. */
export function wipeInitiation(sent: InitiationSent): void {
  sent.transcript.wipe();
  sent.ephemeral.privateKey.fill(0);
}

function mixEphemeral(transcript: Transcript, publicKey: Uint8Array): void {
  transcript.mixHash(publicKey);
  transcript.mixChainingKey(publicKey);
}

function mixOnce(transcript: Transcript, secret: Uint8Array): void {
  transcript.mixKey(secret);
  secret.fill(0);
}

/** The two DH results of the response, whose keys are never used: the preshared key follows. */
function mixSecrets(transcript: Transcript, first: Uint8Array, second: Uint8Array): void {
  transcript.mixChainingKey(first);
  transcript.mixChainingKey(second);
  first.fill(0);
  second.fill(0);
}
