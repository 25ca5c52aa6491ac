import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { identityPrimitives } from '../crypto/node.ts';
import { parseEndpoint } from '../inet/index.ts';
import {
  MAGIC,
  MAX_MESSAGE_BYTES,
  MAX_PART_BYTES,
  MAX_SUMMARY_ENTRIES,
  meshTag,
  readMessage,
  SHORT_REQUEST_BYTES,
  writeMessage,
  type Message,
} from './messages.ts';

const TAG = meshTag('test', identityPrimitives);
const nodeId = '0123456789abcdef'.repeat(4).slice(0, 56);
const news = { nodeId, sequence: Number.MAX_SAFE_INTEGER };

const messages: Message[] = [
  {
    ...{ kind: 'hello', ...news, knownSequence: 7, challenge: 2n ** 64n - 1n, echo: 1n, pleaseAnswer: true },
    ...{ target: parseEndpoint('[fe80::1]:7077'), signature: new Uint8Array(64).fill(9) },
  },
  { kind: 'description-request', nodeId, nonce: 5n, offset: 4095, length: 1200 },
  { kind: 'description-request', nodeId, nonce: 6n, offset: 0, length: 480 },
  { kind: 'fragment', id: 7, index: 1, count: 2, bytes: new Uint8Array(900).fill(5) },
  {
    kind: 'description-part',
    ...news,
    nonce: 5n,
    total: 4096,
    offset: 1,
    bytes: new Uint8Array(MAX_PART_BYTES).fill(3),
  },
  { kind: 'probe', nonce: 2n ** 63n, wish: 'likes', isInterested: true, isConfirmed: false },
  { kind: 'probe-reply', nonce: 0n, wish: 'needs', isNeighbour: true, seenAt: parseEndpoint('[2001:db8::1]:65535') },
  { kind: 'probe-reply', nonce: 0n, wish: 'no', isNeighbour: false, seenAt: undefined },
  {
    kind: 'call',
    pleaseAnswer: true,
    candidates: [parseEndpoint('192.0.2.1:7077')!, parseEndpoint('[2001:db8::1]:1')!],
  },
  { kind: 'digest', digest: new Uint8Array(16).fill(9) },
  { kind: 'echo-request', nonce: 2n ** 64n - 1n },
  { kind: 'echo-request', nonce: 4n, isOfLength: true },
  { kind: 'echo-reply', nonce: 3n },
  { kind: 'babel', packet: Uint8Array.of(42, 2, 0, 0) },
  { kind: 'announce', ...news },
  { kind: 'summary', pleaseAnswer: true, entries: Array(MAX_SUMMARY_ENTRIES).fill(news) as (typeof news)[] },
  { kind: 'leave' },
];

describe('a message', () => {
  for (const message of messages) {
    it(`of kind ${message.kind} is read as it was written, within 1,200 bytes, and is never taken for WireGuard's`, () => {
      const bytes = writeMessage(message, TAG);
      assert.deepEqual(readMessage(bytes, TAG), message);
      assert.ok(bytes.length <= MAX_MESSAGE_BYTES);
      assert.equal(bytes[0], MAGIC);
      assert.ok(MAGIC > 4);
    });

    it(`of kind ${message.kind} is malformed or shorter in meaning when cut anywhere, never an exception`, () => {
      const bytes = writeMessage(message, TAG);
      for (let length = 0; length < bytes.length; length++) {
        const cut = readMessage(bytes.subarray(0, length), TAG);
        if (['summary', 'description-part', 'babel', 'call', 'fragment'].includes(message.kind)) continue;
        // The padding of a request is what it may be answered with.
        if (message.kind === 'description-request' && length >= SHORT_REQUEST_BYTES) continue;
        if (message.kind === 'echo-request' && message.isOfLength === true && length === bytes.length - 1) continue;
        assert.equal(cut, 'message-malformed');
      }
    });
  }

  it('of another mesh, version or type is told apart', () => {
    const bytes = writeMessage({ kind: 'leave' }, TAG);
    assert.equal(readMessage(bytes, meshTag('other', identityPrimitives)), 'foreign-mesh');
    assert.equal(readMessage(bytes.with(1, 1), TAG), 'message-unknown-version');
    assert.equal(readMessage(bytes.with(2, 200), TAG), 'message-unknown-type');
  });

  it('that answers is never longer than the one that asks', () => {
    const [hello, request, part] = messages.map((message) => writeMessage(message, TAG).length);
    assert.ok(part <= request);
    assert.equal(writeMessage({ ...(messages[0] as Message & { kind: 'hello' }), echo: 0n }, TAG).length, hello);
  });

  it('made of random bytes is a message or a reason, never an exception', () => {
    fc.assert(
      fc.property(fc.nat(12), fc.uint8Array({ maxLength: 1300 }), (type, body) => {
        const read = readMessage(Uint8Array.of(MAGIC, 2, type, 0, ...TAG, ...body), TAG);
        if (typeof read !== 'string') assert.deepEqual(readMessage(writeMessage(read, TAG), TAG), read);
      }),
      { numRuns: 2000 },
    );
  });
});
