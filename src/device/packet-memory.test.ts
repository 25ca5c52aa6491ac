import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { plainChecksums } from '../packet/index.ts';
import { PacketMemory } from './packet-memory.ts';

/** Two buffers of one memory, full of `bytes` again and again. */
function filledMemory(bytes: Uint8Array) {
  const memory = new PacketMemory(200_000);
  const [from, to] = [memory.allocate(70_000).bytes, memory.allocate(70_000).bytes];
  for (let at = 0; bytes.length > 0 && at < from.length; at += bytes.length) {
    from.set(bytes.subarray(0, from.length - at), at);
  }
  return { memory, from, to };
}

const contents = fc.uint8Array({ minLength: 1, maxLength: 300 });
const lengths = fc.oneof(fc.nat(200), fc.nat(65_535));

describe('sums over the memory of packets', () => {
  it('are those of the plain checksum, for any contents, position and length', () => {
    fc.assert(
      fc.property(contents, fc.nat(70), lengths, (bytes, offset, length) => {
        const { memory, from } = filledMemory(bytes);
        assert.equal(memory.checksums.sum(from, offset, length), plainChecksums.sum(from, offset, length));
      }),
    );
  });

  it('lose no carry in the largest packet', () => {
    const { memory, from } = filledMemory(Uint8Array.of(0xff));
    for (const length of [65_535, 65_534]) {
      assert.equal(memory.checksums.sum(from, 0, length), plainChecksums.sum(from, 0, length));
    }
  });

  it('come with a copy that changes nothing beside it', () => {
    fc.assert(
      fc.property(contents, fc.nat(70), fc.nat(70), lengths, (bytes, offset, toOffset, length) => {
        const { memory, from, to } = filledMemory(bytes);
        to.fill(0xee);
        const sum = memory.checksums.copyAndSum(to, toOffset, from, offset, length);
        assert.equal(sum, plainChecksums.sum(from, offset, length));
        assert.equal(
          Buffer.compare(to.subarray(toOffset, toOffset + length), from.subarray(offset, offset + length)),
          0,
        );
        assert.ok(to.subarray(0, toOffset).every((byte) => byte === 0xee));
        assert.ok(to.subarray(toOffset + length).every((byte) => byte === 0xee));
      }),
    );
  });

  it('are right for other memory as well', () => {
    const { memory, from, to } = filledMemory(Uint8Array.of(1, 2, 3));
    const elsewhere = new Uint8Array(1000).fill(0x5a);
    assert.equal(memory.checksums.sum(elsewhere, 1, 801), plainChecksums.sum(elsewhere, 1, 801));
    assert.equal(memory.checksums.copyAndSum(to, 3, elsewhere, 5, 900), plainChecksums.sum(elsewhere, 5, 900));
    assert.deepEqual(to.slice(3, 903), elsewhere.slice(5, 905));
    assert.equal(memory.checksums.copyAndSum(elsewhere, 0, from, 0, 999), plainChecksums.sum(from, 0, 999));
  });

  it('never reach from one buffer into another', () => {
    const { memory, from, to } = filledMemory(Uint8Array.of(7));
    assert.throws(() => memory.checksums.sum(from, 69_000, 2000), RangeError);
    assert.throws(() => memory.checksums.copyAndSum(to, 69_000, from, 0, 2000), RangeError);
  });
});

describe('the memory of packets', () => {
  it('is given out once', () => {
    const memory = new PacketMemory(65_536);
    const [first, second] = [memory.allocate(100), memory.allocate(1000)];
    first.bytes.fill(1);
    second.bytes.fill(2);
    assert.ok(first.bytes.every((byte) => byte === 1));
    assert.ok(second.address >= first.address + 100);
    assert.throws(() => memory.allocate(65_536), RangeError);
  });
});
