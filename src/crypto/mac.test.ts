import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import { nobleMac, openSslMac } from './mac.ts';

describe('keyed BLAKE2s by OpenSSL', () => {
  const mac = openSslMac();
  const bytes = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });

  it('is what @noble/hashes computes, for every length of key and message, in any number of parts', () => {
    fc.assert(
      fc.property(bytes(1, 32), fc.array(bytes(0, 200), { maxLength: 3 }), (key, parts) => {
        assert.deepEqual(mac(key, ...parts), nobleMac(key, ...parts));
      }),
    );
  });

  it('keeps nothing of one call for the next', () => {
    const [long, short] = [new Uint8Array(32).fill(1), new Uint8Array(16).fill(2)];
    const message = new Uint8Array(116).fill(3);
    const first = mac(short, message);
    mac(long, new Uint8Array(200));
    assert.deepEqual(mac(short, message), first);
  });
});
