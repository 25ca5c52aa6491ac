import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead, KeyDestroyedError, workingAeads, type Aead, type AeadName } from './aead.ts';
import { nodePrimitives, sealRfc8439, writeNonce } from './node.ts';
import type { AeadKey, Counter } from './primitives.ts';

const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
const message = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7);

/** What node:crypto makes of it. */
function expected(counter: { high: number; low: number }, plaintext: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(12);
  writeNonce(counter, nonce);
  return sealRfc8439(secret, nonce, plaintext, new Uint8Array(0));
}

/** To a target of its own. */
function open(key: AeadKey, counter: Counter, ...sealed: [buffer: Uint8Array, offset: number, length: number]): number {
  return key.open(counter, ...sealed, new Uint8Array(100), 0);
}

function testAead(name: string, aead: Aead): void {
  describe(`transport encryption by ${name}`, () => {
    // Whether there is memory before the packet decides how its first block is computed.
    for (const offset of [0, 63, 64, 80]) {
      for (const length of [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 512, 1420, 1424, 65_000]) {
        it(`seals as node:crypto does and opens again, ${length} bytes from ${offset}`, () => {
          const key = aead(secret);
          const counter = { high: 0, low: length };
          const buffer = new Uint8Array(offset + length + 16).fill(0xa7, 0, offset);
          buffer.set(message(length), offset);
          assert.equal(key.seal(counter, buffer, offset, length), length + 16);
          assert.deepEqual(buffer.subarray(offset), expected(counter, message(length)));
          assert.ok(buffer.subarray(0, offset).every((byte) => byte === 0xa7));
          const before = buffer.slice();
          for (const targetOffset of [0, 64, 100]) {
            const target = new Uint8Array(targetOffset + length);
            assert.equal(key.open(counter, buffer, offset, length + 16, target, targetOffset), length);
            assert.deepEqual(target.subarray(targetOffset), message(length));
          }
          assert.deepEqual(buffer, before);
          key.destroy();
        });
      }
    }

    for (const [high, low] of [
      [0, 0],
      [0, 0xffff_ffff],
      [1, 0],
      [0x0020_0000, 1], // 2^53 + 1, which a double cannot hold
      [0xffff_ffff, 0xffff_dffe],
    ]) {
      it(`takes the counter's halves as they are: ${high}, ${low}`, () => {
        const key = aead(secret);
        const buffer = new Uint8Array(36);
        buffer.set(message(20));
        key.seal({ high, low }, buffer, 0, 20);
        assert.deepEqual(buffer, expected({ high, low }, message(20)));
        assert.equal(open(key, { high, low: (low ^ 1) >>> 0 }, buffer, 0, 36), -1);
        assert.equal(open(key, { high, low }, buffer, 0, 36), 20);
        key.destroy();
      });
    }

    it('touches nothing outside its part of a larger buffer, whatever array it is seen through', () => {
      const key = aead(secret);
      const memory = new Uint8Array(4000).fill(0xee);
      const view = memory.subarray(1000, 3000);
      view.set(message(1424), 77);
      assert.equal(key.seal({ high: 0, low: 9 }, view, 77, 1424), 1440);
      assert.deepEqual(memory.slice(1077, 1077 + 1440), expected({ high: 0, low: 9 }, message(1424)));
      assert.ok(memory.subarray(0, 1077).every((byte) => byte === 0xee));
      assert.ok(memory.subarray(1077 + 1440).every((byte) => byte === 0xee));
      const opened = new Uint8Array(4000).fill(0xee);
      assert.equal(key.open({ high: 0, low: 9 }, memory, 1077, 1440, opened.subarray(1000), 77), 1424);
      assert.deepEqual(opened.slice(1077, 1077 + 1424), message(1424));
      assert.ok(opened.subarray(0, 1077 - 64).every((byte) => byte === 0xee));
      assert.ok(opened.subarray(1077 + 1424).every((byte) => byte === 0xee));
      key.destroy();
    });

    it('keeps apart more buffers than it remembers, and more keys than one', () => {
      const keys = [aead(secret), aead(secret.toReversed()), aead(secret)];
      const buffers = Array.from({ length: 20 }, (_, i) => {
        const buffer = new Uint8Array(40 + i);
        buffer.set(message(24));
        return buffer;
      });
      buffers.forEach((buffer, i) => keys[i % 3].seal({ high: i, low: i }, buffer, i, 24));
      for (const [i, buffer] of buffers.entries()) {
        assert.equal(open(keys[(i + 1) % 3], { high: i, low: i }, buffer, i, 40), i % 3 === 2 ? 24 : -1);
        assert.equal(open(keys[i % 3], { high: i, low: i }, buffer, i, 40), 24);
      }
      for (const key of keys) key.destroy();
    });

    it('opens nothing that was changed, and works on after it', () => {
      const key = aead(secret);
      const sealed = expected({ high: 0, low: 1 }, message(40));
      for (let i = 0; i < sealed.length; i++) {
        const changed = sealed.map((byte, j) => (i === j ? byte ^ 0x80 : byte));
        assert.equal(open(key, { high: 0, low: 1 }, changed, 0, changed.length), -1);
      }
      assert.equal(open(key, { high: 0, low: 1 }, sealed, 0, sealed.length - 1), -1);
      assert.equal(open(key, { high: 0, low: 1 }, sealed, 0, sealed.length), 40);
      key.destroy();
    });

    it('leaves nothing behind that node:crypto would take for a failure of its own', () => {
      const key = aead(secret);
      assert.equal(open(key, { high: 0, low: 1 }, new Uint8Array(64), 0, 64), -1);
      assert.equal(nodePrimitives(aead).sharedSecret(secret, new Uint8Array(32)), undefined);
      key.destroy();
    });

    it('takes what has no room for a tag for a forgery', () => {
      const key = aead(secret);
      for (const length of [0, 1, 15]) {
        assert.equal(open(key, { high: 0, low: 0 }, new Uint8Array(64), 3, length), -1);
      }
      key.destroy();
    });

    it('refuses to leave the buffer', () => {
      const key = aead(secret);
      const buffer = new Uint8Array(64);
      for (const [offset, length] of [
        [0, 49],
        [49, 0],
        [65, 0],
        [-1, 8],
        [8, -1],
        [0.5, 8],
        [8, 0.5],
        [NaN, 8],
        [8, NaN],
        [2 ** 32, 8],
        [8, 2 ** 32],
      ]) {
        assert.throws(() => key.seal({ high: 0, low: 0 }, buffer, offset, length), RangeError);
        assert.throws(
          () => open(key, { high: 0, low: 0 }, buffer, offset, length < 0 ? length : length + 16),
          RangeError,
        );
      }
      assert.ok(buffer.every((byte) => byte === 0));
      key.destroy();
    });

    it('refuses a buffer whose memory was given away', () => {
      const key = aead(secret);
      const buffer = new Uint8Array(64);
      key.seal({ high: 0, low: 0 }, buffer, 0, 48);
      structuredClone(buffer, { transfer: [buffer.buffer] });
      assert.throws(() => key.seal({ high: 0, low: 1 }, buffer, 0, 48), RangeError);
      assert.throws(() => open(key, { high: 0, low: 1 }, buffer, 0, 64), RangeError);
      key.destroy();
    });

    it('refuses to leave the target', () => {
      const key = aead(secret);
      const sealed = expected({ high: 0, low: 1 }, message(40));
      for (const targetOffset of [25, 65, -1, 0.5, NaN, 2 ** 32]) {
        const target = new Uint8Array(64);
        assert.throws(() => key.open({ high: 0, low: 1 }, sealed, 0, 56, target, targetOffset), RangeError);
        assert.ok(target.every((byte) => byte === 0));
      }
      key.destroy();
    });

    it('is of no use once destroyed, twice if need be', () => {
      const key = aead(secret);
      key.destroy();
      key.destroy();
      const buffer = message(64);
      assert.throws(() => key.seal({ high: 0, low: 0 }, buffer, 0, 8), KeyDestroyedError);
      assert.throws(() => open(key, { high: 0, low: 0 }, buffer, 0, 64), KeyDestroyedError);
      assert.deepEqual(buffer, message(64));
    });

    it('copies the key', () => {
      const raw = secret.slice();
      const key = aead(raw);
      raw.fill(0);
      const buffer = new Uint8Array(24);
      key.seal({ high: 0, low: 0 }, buffer, 0, 8);
      assert.deepEqual(buffer, expected({ high: 0, low: 0 }, new Uint8Array(8)));
      key.destroy();
    });

    it('refuses keys of another length', () => {
      for (const length of [0, 31, 33]) assert.throws(() => aead(new Uint8Array(length)), RangeError);
    });
  });
}

const NAMES: Record<AeadName, string> = {
  'openssl-direct': "OpenSSL's halves",
  'openssl-evp': "OpenSSL's EVP layer",
  'node-crypto': 'node:crypto',
};
for (const [name, aead] of workingAeads()) testAead(NAMES[name], aead);
const chosen = chooseAead();

describe('the choice of an implementation', () => {
  it('has a reason where it is not the fast one', () => {
    assert.equal(chosen.reason === undefined, chosen.name === 'openssl-direct');
  });
});
