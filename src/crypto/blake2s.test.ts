import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import { chooseBlake2s, nodeBlake2s, openSslBlake2s } from './blake2s.ts';

const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const parts = fc.array(bytes(300), { maxLength: 3 });

describe('BLAKE2s by OpenSSL', () => {
  const { hash, hmac } = openSslBlake2s();

  it('is what node:crypto computes, of messages of any length, in any number of parts', () => {
    fc.assert(fc.property(parts, (message) => assert.deepEqual(hash(...message), nodeBlake2s.hash(...message))));
  });

  it('is what node:crypto computes as an HMAC, with keys of any length', () => {
    fc.assert(
      fc.property(bytes(100), parts, (key, message) => {
        assert.deepEqual(hmac(key, ...message), nodeBlake2s.hmac(key, ...message));
      }),
    );
  });

  it('keeps nothing of one call for the next', () => {
    const [long, short] = [new Uint8Array(64).fill(1), new Uint8Array(16).fill(2)];
    const first = hmac(short, short);
    hmac(long, long, long);
    hash(long, long);
    assert.deepEqual(hmac(short, short), first);
  });

  it('is what is chosen, with every Node that we support', () => {
    assert.notEqual(chooseBlake2s(), nodeBlake2s);
  });
});
