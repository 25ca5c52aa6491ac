import assert from 'node:assert/strict';
import {
  messageType,
  MESSAGE_TYPE,
  readCookieReply,
  readInitiation,
  readResponse,
  readTransportReceiver,
  writeCookieReply,
  writeInitiation,
  writeResponse,
} from '../../src/wireguard/messages.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';

const random = new Random(1, 1);
const initiation = writeInitiation({
  ...{ sender: 1, ephemeral: random.bytes(32), static: random.bytes(48), timestamp: random.bytes(28) },
});
const response = writeResponse({ sender: 2, receiver: 1, ephemeral: random.bytes(32), empty: random.bytes(16) });
const cookieReply = writeCookieReply({ receiver: 1, nonce: random.bytes(24), cookie: random.bytes(32) });
const transportData = Uint8Array.of(MESSAGE_TYPE.transportData, 0, 0, 0, ...random.bytes(12 + 64));

/** Nothing but a message is read as one, and what was read, written again, is what came. */
export const messageTarget: Target = {
  name: 'messages',
  share: 20,
  seeds: [initiation, response, cookieReply, transportData],
  outcomes: ['initiation', 'response', 'cookie reply', 'transport data', 'none'],
  run(datagram) {
    const [first, second, third, receiver] = [
      readInitiation(datagram),
      readResponse(datagram),
      readCookieReply(datagram),
      readTransportReceiver(datagram),
    ];
    const read = [first, second, third, receiver].filter((value) => value !== undefined);
    assert.ok(read.length <= 1, 'read as two messages');
    if (read.length === 1) assert.equal(messageType(datagram), datagram[0], 'reserved bytes');
    if (first !== undefined) assertWritten(writeInitiation(first), datagram, 116);
    if (second !== undefined) assertWritten(writeResponse(second), datagram, 60);
    if (third !== undefined) assertWritten(writeCookieReply(third), datagram, 64);
    if (first !== undefined) return 'initiation';
    if (second !== undefined) return 'response';
    if (third !== undefined) return 'cookie reply';
    return receiver === undefined ? 'none' : 'transport data';
  },
};

/** `length`: without the macs, which are added elsewhere. */
function assertWritten(written: Uint8Array, datagram: Uint8Array, length: number): void {
  assert.equal(written.length, datagram.length);
  assert.equal(Buffer.compare(written.subarray(0, length), datagram.subarray(0, length)), 0, 'other bytes');
}
