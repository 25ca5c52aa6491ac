import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Frame, Place } from '../recording/pcapng.ts';
import { pathOf, TRAIN_PACKETS, TRAIN_PAYLOAD_BYTES } from './path.ts';
import { bytesSent } from './traffic.ts';

const PLACES: Place[] = [
  { node: 'a', interface: 'to-b', linkType: 'ethernet' },
  { node: 'b', interface: 'to-c', linkType: 'ethernet' },
  { node: 'c', interface: 'to-a', linkType: 'ethernet' },
  { node: 'a', interface: 'wm0', linkType: 'ip' },
];

/** A frame every 10 from `start`. */
function train(place: number, start: number, length: number, count = TRAIN_PACKETS): Frame[] {
  return Array.from({ length: count }, (_, i) => ({
    place,
    at: BigInt(start + i * 10),
    length,
    bytes: new Uint8Array(),
  }));
}

const OUTER = TRAIN_PAYLOAD_BYTES + 142;

describe('a path', () => {
  it('is told by who sent the train, in the order of its packets, whatever each tunnel adds', () => {
    const frames = [...train(1, 1005, OUTER + 80), ...train(3, 1000, OUTER), ...train(0, 1001, OUTER)];
    assert.deepEqual(pathOf(PLACES, frames, 1000n, 2000n), ['a', 'b']);
  });

  it('is told although a few were lost, and not by a few strays', () => {
    const frames = [...train(0, 1000, OUTER), ...train(1, 1001, OUTER, 12), ...train(2, 1002, OUTER, 5)];
    assert.deepEqual(pathOf(PLACES, frames, 1000n, 2000n), ['a', 'b']);
  });

  it('keeps its order when a stray of the same size came before the train', () => {
    const frames = [...train(0, 1100, OUTER), ...train(1, 1000, OUTER + 80, 1), ...train(1, 1101, OUTER + 80)];
    assert.deepEqual(pathOf(PLACES, frames, 1000n, 2000n), ['a', 'b']);
  });

  it('keeps its order when a link takes as long as lies between two packets', () => {
    for (const delay of [6, 10, 14]) {
      const frames = [...train(1, 1000 + delay, OUTER + 80), ...train(0, 1000, OUTER)];
      assert.deepEqual(pathOf(PLACES, frames, 1000n, 2000n), ['a', 'b']);
    }
  });

  it('is not mistaken for other traffic of the same or of varying size', () => {
    const steady = train(2, 0, OUTER, 200);
    const varying = Array.from({ length: 100 }, (_, i) => train(1, 1000 + i * 5, OUTER + i, 1)).flat();
    assert.deepEqual(pathOf(PLACES, [...train(0, 1000, OUTER), ...steady, ...varying], 1000n, 2000n), ['a']);
  });
});

describe('what a node sends', () => {
  it('is counted on its links, without headers of Ethernet, in the window alone', () => {
    const frames = [...train(0, 0, 114, 3), ...train(3, 0, 999, 1), ...train(1, 100, 114, 1)];
    assert.deepEqual([...bytesSent(PLACES, frames, 0n, 20n)], [['a', 200], ['b', 0], ['c', 0]]); // prettier-ignore
  });
});
