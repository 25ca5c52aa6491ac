import type { Primitives } from '../crypto/primitives.ts';
import type { Endpoint } from '../inet/index.ts';
import type { Millis } from '../machine/index.ts';
import { LABEL_COOKIE, LABEL_MAC1, MAC_LENGTH } from './constants.ts';
import { macOffsets, writeCookieReply, type CookieReply } from './messages.ts';

/**
 * The two macs of a handshake message and the cookie behind the second (whitepaper §5.4.4, §5.4.7). `mac1` proves that
 * the sender knows whom it talks to; `mac2`, demanded under load only, that it receives at the address it sends from.
 */
const NONCE_LENGTH = 24;

/** The side that receives handshake messages: one for each static key. Changes nothing when it refuses. */
export class CookieChecker {
  readonly #primitives: Primitives;
  readonly #lifetime: Millis;
  readonly #mac1Key: Uint8Array;
  readonly #cookieKey: Uint8Array;
  #secret: Uint8Array;
  #secretSince: Millis;

  constructor(primitives: Primitives, localPublicKey: Uint8Array, lifetime: Millis, now: Millis) {
    this.#primitives = primitives;
    this.#lifetime = lifetime;
    this.#mac1Key = primitives.hash(LABEL_MAC1, localPublicKey);
    this.#cookieKey = primitives.hash(LABEL_COOKIE, localPublicKey);
    this.#secret = primitives.randomBytes(32);
    this.#secretSince = now;
  }

  /** `datagram` has the length of an initiation or a response. */
  isMac1Valid(datagram: Uint8Array): boolean {
    const { mac1, mac2 } = macOffsets(datagram);
    const expected = this.#primitives.mac(this.#mac1Key, datagram.subarray(0, mac1));
    return this.#primitives.equal(expected, datagram.subarray(mac1, mac2));
  }

  isMac2Valid(datagram: Uint8Array, from: Endpoint, now: Millis): boolean {
    const { mac2 } = macOffsets(datagram);
    // Without a cookie the field is zero (§5.4.4): a flood of such messages is not worth two computations each.
    if (datagram.subarray(mac2).every((byte) => byte === 0)) return false;
    const expected = this.#primitives.mac(this.#cookieFor(from, now), datagram.subarray(0, mac2));
    return this.#primitives.equal(expected, datagram.subarray(mac2));
  }

  /** The cookie reply to a handshake message with a valid mac1 from `from`. */
  createReply(datagram: Uint8Array, sender: number, from: Endpoint, now: Millis): Uint8Array {
    const { mac1, mac2 } = macOffsets(datagram);
    const nonce = this.#primitives.randomBytes(NONCE_LENGTH);
    const cookie = this.#cookieFor(from, now);
    const sealed = this.#primitives.sealWithNonce(this.#cookieKey, nonce, cookie, datagram.subarray(mac1, mac2));
    return writeCookieReply({ receiver: sender, nonce, cookie: sealed });
  }

  #cookieFor({ address, port }: Endpoint, now: Millis): Uint8Array {
    if (now - this.#secretSince >= this.#lifetime) {
      this.#secret = this.#primitives.randomBytes(32);
      this.#secretSince = now;
    }
    return this.#primitives.mac(this.#secret, address.bytes, Uint8Array.of(port >>> 8, port & 0xff));
  }
}

/** The side that sends handshake messages: one for each peer. */
export class CookieGenerator {
  readonly #primitives: Primitives;
  readonly #lifetime: Millis;
  readonly #remotePublicKey: Uint8Array;
  readonly #mac1Key: Uint8Array;
  /** Of the last message, until a cookie reply to it has come: one message, one reply. */
  #lastMac1: Uint8Array | undefined;
  #cookie: { readonly bytes: Uint8Array; readonly receivedAt: Millis } | undefined;

  constructor(primitives: Primitives, remotePublicKey: Uint8Array, lifetime: Millis) {
    this.#primitives = primitives;
    this.#lifetime = lifetime;
    this.#remotePublicKey = remotePublicKey;
    this.#mac1Key = primitives.hash(LABEL_MAC1, remotePublicKey);
  }

  /** Fills in both macs of `datagram`, an initiation or a response; mac2 stays zero without a cookie. */
  addMacs(datagram: Uint8Array, now: Millis): void {
    const { mac1, mac2 } = macOffsets(datagram);
    this.#lastMac1 = this.#primitives.mac(this.#mac1Key, datagram.subarray(0, mac1));
    datagram.set(this.#lastMac1, mac1);
    if (this.#cookie === undefined || now - this.#cookie.receivedAt >= this.#lifetime) return;
    datagram.set(this.#primitives.mac(this.#cookie.bytes, datagram.subarray(0, mac2)), mac2);
  }

  /** @returns whether the reply was sealed by the peer, for the last message sent, and is the first one for it */
  consumeReply(reply: CookieReply, now: Millis): boolean {
    if (this.#lastMac1 === undefined) return false;
    const key = this.#primitives.hash(LABEL_COOKIE, this.#remotePublicKey);
    const bytes = this.#primitives.openWithNonce(key, reply.nonce, reply.cookie, this.#lastMac1);
    if (bytes?.length !== MAC_LENGTH) return false;
    this.#lastMac1 = undefined;
    this.#cookie = { bytes, receivedAt: now };
    return true;
  }
}
