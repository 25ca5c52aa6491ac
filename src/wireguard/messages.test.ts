import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  messageType,
  readCookieReply,
  readInitiation,
  readResponse,
  readTransportReceiver,
  writeCookieReply,
  writeInitiation,
  writeResponse,
} from './messages.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const index = fc.integer({ min: 0, max: 0xffff_ffff });

const messages = [
  {
    name: 'a handshake initiation',
    length: 148,
    message: fc.record({ sender: index, ephemeral: bytes(32), static: bytes(48), timestamp: bytes(28) }),
    read: readInitiation,
    write: writeInitiation,
  },
  {
    name: 'a handshake response',
    length: 92,
    message: fc.record({ sender: index, receiver: index, ephemeral: bytes(32), empty: bytes(16) }),
    read: readResponse,
    write: writeResponse,
  },
  {
    name: 'a cookie reply',
    length: 64,
    message: fc.record({ receiver: index, nonce: bytes(24), cookie: bytes(32) }),
    read: readCookieReply,
    write: writeCookieReply,
  },
];

for (const [i, { name, length, message, read, write }] of messages.entries()) {
  describe(name, () => {
    it(`is ${length} bytes and reads as it was written`, () => {
      fc.assert(
        fc.property(message, (original) => {
          const datagram = (write as (m: unknown) => Uint8Array)(original);
          assert.equal(datagram.length, length);
          assert.equal(messageType(datagram), i + 1);
          assert.deepEqual({ ...read(datagram) }, { ...original });
        }),
      );
    });

    it('is nothing if it is too short, too long, or its type or a reserved byte differs', () => {
      const [original] = fc.sample(message as fc.Arbitrary<unknown>, 1);
      const datagram = (write as (m: unknown) => Uint8Array)(original);
      assert.equal(read(datagram.subarray(1)), undefined);
      assert.equal(read(datagram.subarray(0, length - 1)), undefined);
      assert.equal(read(Uint8Array.of(...datagram, 0)), undefined);
      for (const at of [0, 1, 2, 3]) assert.equal(read(datagram.with(at, 9)), undefined);
    });
  });
}

describe('any datagram', () => {
  it('is read as a message or as nothing, and never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 160 }), fc.integer({ min: 0, max: 5 }), (datagram, type) => {
        if (datagram.length > 0) datagram[0] = type;
        for (const read of [messageType, readInitiation, readResponse, readCookieReply, readTransportReceiver]) {
          read(datagram);
        }
      }),
    );
  });

  it('is transport data only with room for a tag', () => {
    const keepalive = Uint8Array.of(4, 0, 0, 0, 0x78, 0x56, 0x34, 0x92, ...new Uint8Array(24));
    assert.equal(readTransportReceiver(keepalive), 0x9234_5678);
    assert.equal(readTransportReceiver(keepalive.subarray(0, 31)), undefined);
    assert.equal(readTransportReceiver(keepalive.with(2, 1)), undefined);
  });
});
