import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { STAGED_BYTES, STAGED_PACKETS } from './constants.ts';
import { StagedPackets } from './staged-packets.ts';

describe('packets that wait for a keypair', () => {
  it('are those that came last, in their order, however short', () => {
    const staged = new StagedPackets();
    let gone = 0;
    for (let i = 0; i < STAGED_PACKETS + 3; i++) gone += staged.push(Uint8Array.of(i));
    assert.equal(gone, 3);
    assert.equal(staged.length, STAGED_PACKETS);
    assert.deepEqual(staged.shift(), Uint8Array.of(3));
  });

  it('take no more memory than so many of the usual length, however long they are', () => {
    const staged = new StagedPackets();
    let gone = 0;
    for (let i = 0; i < STAGED_PACKETS; i++) gone += staged.push(new Uint8Array(1500).fill(i));
    assert.equal(gone, 0);
    for (let i = 0; i < STAGED_PACKETS; i++) staged.push(new Uint8Array(65_535).fill(i));
    const lengths: number[] = [];
    for (let packet = staged.shift(); packet !== undefined; packet = staged.shift()) lengths.push(packet.length);
    assert.deepEqual(lengths, [65_535, 65_535, 65_535, 65_535]);
    assert.ok(lengths.reduce((sum, length) => sum + length) <= STAGED_BYTES);
    // What has left takes nothing any more.
    for (let i = 0; i < 4; i++) assert.equal(staged.push(new Uint8Array(65_535)), 0);
    staged.clear();
    for (let i = 0; i < 4; i++) assert.equal(staged.push(new Uint8Array(65_535)), 0);
  });
});
