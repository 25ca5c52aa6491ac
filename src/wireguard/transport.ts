import type { Millis } from '../machine/index.ts';
import { REJECT_AFTER_MESSAGES, TAG } from './constants.ts';
import { increment, isBelow } from './counter.ts';
import type { KeypairOf } from './keypair.ts';
import { MESSAGE_TYPE, TRANSPORT_DATA, TRANSPORT_HEADER } from './messages.ts';

/** Transport data (whitepaper §5.4.6) in buffers the caller owns. Allocates nothing, throws nothing. */
export { TAG } from './constants.ts';
export { TRANSPORT_HEADER } from './messages.ts';

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;

/**
 * Seals the packet of `length` bytes that lies at `offset + TRANSPORT_HEADER`, and writes the header before it. The
 * buffer must have room for 15 bytes of padding and the tag behind it.
 * @returns the length of the datagram, which begins at `offset`, or -1 if the keypair must not seal any more, or none was
 * claimed (`KeypairOf.claim`)
 */
// One number more than the budget has: an object a packet would be an allocation a packet.
// eslint-disable-next-line max-params
export function sealTransportData(
  keypair: KeypairOf<unknown>,
  buffer: Uint8Array,
  offset: number,
  length: number,
  mtu: number,
): number {
  const { sendCounter } = keypair;
  if (keypair.destroyed || !isBelow(sendCounter, keypair.sendLimit)) return -1;
  const packet = offset + TRANSPORT_HEADER;
  const padded = paddedLength(length, mtu);
  for (let i = packet + length; i < packet + padded; i++) buffer[i] = 0;
  writeUint32(buffer, offset + TRANSPORT_DATA.type, MESSAGE_TYPE.transportData);
  writeUint32(buffer, offset + TRANSPORT_DATA.receiver, keypair.remoteIndex);
  writeUint32(buffer, offset + TRANSPORT_DATA.counter, sendCounter.low);
  writeUint32(buffer, offset + TRANSPORT_DATA.counter + 4, sendCounter.high);
  const sealed = keypair.sendKey.seal(sendCounter, buffer, packet, padded);
  increment(sendCounter);
  return TRANSPORT_HEADER + sealed;
}

/** Where a plaintext goes: at `offset` of `bytes`. What lies in the 64 bytes before it may be overwritten. */
export interface PlaintextPlace {
  readonly bytes: Uint8Array;
  offset: number;
}

/**
 * Opens the datagram of `length` bytes at `offset`, which is transport data for `keypair`, into other memory.
 * @returns the length of the plaintext (0 for a keepalive), or -1 if it is not authentic, was seen before, or its keypair
 * is too old (§6.2)
 */
// eslint-disable-next-line max-params
export function openTransportData(
  keypair: KeypairOf<unknown>,
  buffer: Uint8Array,
  offset: number,
  length: number,
  place: PlaintextPlace,
  now: Millis,
): number {
  if (keypair.destroyed || now >= keypair.expiresAt || length < TRANSPORT_HEADER + TAG) return -1;
  const { receiveCounter } = keypair;
  receiveCounter.low = readUint32(buffer, offset + TRANSPORT_DATA.counter);
  receiveCounter.high = readUint32(buffer, offset + TRANSPORT_DATA.counter + 4);
  if (!isBelow(receiveCounter, REJECT_AFTER_MESSAGES)) return -1;
  const packet = offset + TRANSPORT_HEADER;
  const sealed = length - TRANSPORT_HEADER;
  const plaintext = keypair.receiveKey.open(receiveCounter, buffer, packet, sealed, place.bytes, place.offset);
  // After opening only: a forged counter must not move the window.
  if (plaintext < 0 || !keypair.replayWindow.accept(receiveCounter)) return -1;
  return plaintext;
}

/**
 * The length of the IP packet at `offset` inside a plaintext of `length` bytes, as its own header says; padding
 * follows.
 * @returns -1 if it is no IP packet or longer than the plaintext
 */
export function innerPacketLength(buffer: Uint8Array, offset: number, length: number): number {
  const version = length > 0 ? buffer[offset] >>> 4 : 0;
  let inner = -1;
  if (version === 4 && length >= IPV4_HEADER) {
    inner = readUint16(buffer, offset + 2);
    if (inner < IPV4_HEADER) return -1;
  } else if (version === 6 && length >= IPV6_HEADER) {
    inner = IPV6_HEADER + readUint16(buffer, offset + 4);
  }
  return inner <= length ? inner : -1;
}

/** Padding hides the exact length: to a multiple of 16, but not beyond what the interface may carry (§5.4.6). */
export function paddedLength(length: number, mtu: number): number {
  const padded = (length + 15) & ~15;
  return padded <= mtu ? padded : Math.max(length, mtu);
}

function readUint16(buffer: Uint8Array, at: number): number {
  return (buffer[at] << 8) | buffer[at + 1];
}

function readUint32(buffer: Uint8Array, at: number): number {
  return (buffer[at] | (buffer[at + 1] << 8) | (buffer[at + 2] << 16) | (buffer[at + 3] << 24)) >>> 0;
}

function writeUint32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}
