import { millis, seconds, type Millis } from '../machine/index.ts';
import type { Counter } from '../crypto/primitives.ts';

/** The whitepaper's labels (§5.4) and limits (§6.1): https://www.wireguard.com/papers/wireguard.pdf */
export const CONSTRUCTION = ascii('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s');
export const IDENTIFIER = ascii('WireGuard v1 zx2c4 Jason@zx2c4.com');
export const LABEL_MAC1 = ascii('mac1----');
export const LABEL_COOKIE = ascii('cookie--');

/** 2^60. */
export const REKEY_AFTER_MESSAGES: Counter = { high: 0x1000_0000, low: 0 };
/** 2^64 − 2^13 − 1. */
export const REJECT_AFTER_MESSAGES: Counter = { high: 0xffff_ffff, low: 0xffff_dfff };

/** The times of §6.1 and of the cookie mechanism (§5.4.7). Only tests have other ones. */
export interface Timing {
  readonly rekeyAfterTime: Millis;
  readonly rejectAfterTime: Millis;
  readonly rekeyAttemptTime: Millis;
  readonly rekeyTimeout: Millis;
  readonly keepaliveTimeout: Millis;
  /** How long a cookie secret, and a cookie, is good for. */
  readonly cookieLifetime: Millis;
}

export const TIMING: Timing = {
  rekeyAfterTime: seconds(120),
  rejectAfterTime: seconds(180),
  rekeyAttemptTime: seconds(90),
  rekeyTimeout: seconds(5),
  keepaliveTimeout: seconds(10),
  cookieLifetime: seconds(120),
};

/** Retransmissions are late by up to this much, so that two peers that started together do not stay together (§6.1). */
export const RETRANSMISSION_JITTER = millis(333);
/** At most one initiation of a peer is answered in this time: an initiation is dear to answer. */
export const INITIATION_INTERVAL = millis(20);
/** Packets kept for a peer while its handshake runs; more push out the oldest. */
export const STAGED_PACKETS = 128;
/** Likewise in bytes: more than so many of the usual length, and a few of the greatest. */
export const STAGED_BYTES = 256 * 1024;

export const KEY_LENGTH = 32;
export const MAC_LENGTH = 16;
export const TAG = 16;

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
