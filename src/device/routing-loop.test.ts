import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isOwnDatagram } from './routing-loop.ts';

const REMOTE_INDEX = 0xfedc_ba98;
/** The start of transport data (whitepaper §5.4.6): type 4, the receiver's index, little-endian. */
const MESSAGE = [4, 0, 0, 0, 0x98, 0xba, 0xdc, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0];
const OFFSET = 3;

/** An IP packet with UDP and `message`, behind bytes that are not its own. */
function packet(version: 4 | 6, message: readonly number[], protocol = 17, options = 0): Uint8Array {
  const header = new Array<number>(version === 4 ? 20 + options : 40).fill(0);
  header[0] = version === 4 ? 0x45 + options / 4 : 0x60;
  header[version === 4 ? 9 : 6] = protocol;
  return Uint8Array.from([
    ...new Array<number>(OFFSET).fill(0xff),
    ...header,
    ...new Array<number>(8).fill(0),
    ...message,
  ]);
}

const told = (bytes: Uint8Array, length = bytes.length - OFFSET): boolean =>
  isOwnDatagram(bytes, OFFSET, length, REMOTE_INDEX);

describe('a datagram that comes back to its own tunnel', () => {
  it('is told by the index of its receiver, in IPv4, with options, and in IPv6', () => {
    assert.ok(told(packet(4, MESSAGE)));
    assert.ok(told(packet(4, MESSAGE, 17, 8)));
    assert.ok(told(packet(6, MESSAGE)));
  });

  it('is no other message, no message to another receiver, and nothing but UDP', () => {
    assert.ok(!told(packet(4, [1, ...MESSAGE.slice(1)])));
    assert.ok(!told(packet(4, MESSAGE.with(7, 0))));
    assert.ok(!told(packet(4, MESSAGE, 6)));
    assert.ok(!told(packet(6, MESSAGE, 6)));
  });

  it('is not read beyond its end', () => {
    const bytes = packet(4, MESSAGE);
    assert.ok(told(bytes, 20 + 8 + 8));
    assert.ok(!told(bytes, 20 + 8 + 7));
    assert.ok(!told(bytes, 1));
  });
});
