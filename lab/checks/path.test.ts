import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Frame, Place } from '../recording/pcapng.ts';
import { pathOf, TRAIN_PACKETS, TRAIN_PAYLOAD_BYTES, waitAfter } from './path.ts';
import { bytesSent } from './traffic.ts';

const PLACES: Place[] = [
  { node: 'a', interface: 'to-b', linkType: 'ethernet' },
  { node: 'b', interface: 'to-c', linkType: 'ethernet' },
  { node: 'c', interface: 'to-a', linkType: 'ethernet' },
  { node: 'a', interface: 'wm0', linkType: 'ip' },
];

const WINDOW = 3000;

/** Frames from `start` in the rhythm of a train, in milliseconds. */
function train(place: number, start: number, length: number, count = TRAIN_PACKETS): Frame[] {
  let at = start;
  return Array.from({ length: count }, (_, i) => {
    const sent = frame(place, at, length);
    at += waitAfter(i);
    return sent;
  });
}

function frame(place: number, at: number, length: number): Frame {
  return { place, at: BigInt(Math.round(at * 1e6)), length, bytes: new Uint8Array() };
}

/** The same frames, late by what `delayOf` says of each in milliseconds. */
function late(frames: readonly Frame[], delayOf: (packet: number) => number): Frame[] {
  return frames.map((one, i) => ({ ...one, at: one.at + BigInt(delayOf(i) * 1e6) }));
}

function pathIn(frames: readonly Frame[]): string[] {
  return pathOf(PLACES, frames, BigInt(WINDOW * 1e6), BigInt(2 * WINDOW * 1e6));
}

const OUTER = TRAIN_PAYLOAD_BYTES + 142;
const START = WINDOW + 100;

describe('a path', () => {
  it('is told by who sent the train, in the order of its packets, whatever each tunnel adds', () => {
    const frames = [...train(1, START + 0.5, OUTER + 80), ...train(3, START, OUTER), ...train(0, START + 0.1, OUTER)];
    assert.deepEqual(pathIn(frames), ['a', 'b']);
  });

  it('is told although a few were lost, and not by a few strays', () => {
    const frames = [...train(0, START, OUTER), ...train(1, START + 1, OUTER, 12), ...train(2, START + 2, OUTER, 5)];
    assert.deepEqual(pathIn(frames), ['a', 'b']);
  });

  it('keeps its order when strays of the same size came before and within the train', () => {
    const strays = [50, 107, 400, 800].map((at) => frame(1, WINDOW + at, OUTER + 80));
    const frames = [...train(0, START, OUTER), ...strays, ...train(1, START + 1, OUTER + 80)];
    assert.deepEqual(pathIn(frames), ['a', 'b']);
  });

  it('keeps its order when a link takes as long as lies between two packets', () => {
    for (const delay of [6, 10, 15, 20, 100]) {
      const frames = [...train(1, START + delay, OUTER + 80), ...train(0, START, OUTER)];
      assert.deepEqual(pathIn(frames), ['a', 'b']);
    }
  });

  it('keeps its order when the first packets wait longer than the others on a busy machine', () => {
    for (const wait of [5, 10, 15, 40]) {
      const sent = late(train(0, START, OUTER), (packet) => (packet < 4 ? wait : 0));
      const sentOn = late(train(1, START + 0.2, OUTER + 80), (packet) => (packet < 4 ? wait : (packet % 5) / 2));
      assert.deepEqual(pathIn([...sentOn, ...sent]), ['a', 'b']);
      assert.deepEqual(pathIn([...sentOn, ...train(0, START, OUTER)]), ['a', 'b']);
    }
  });

  it('is not mistaken for other traffic of the same or of varying size', () => {
    const steady = Array.from({ length: 200 }, (_, i) => frame(2, i * 30, OUTER));
    const varying = Array.from({ length: 100 }, (_, i) => frame(1, START + i * 5, OUTER + i));
    assert.deepEqual(pathIn([...train(0, START, OUTER), ...steady, ...varying]), ['a']);
  });
});

describe('what a node sends', () => {
  it('is counted on its links, without headers of Ethernet, in the window alone', () => {
    const frames = [frame(0, 0, 114), frame(0, 10, 114), frame(0, 20, 114), frame(3, 0, 999), frame(1, 100, 114)];
    assert.deepEqual([...bytesSent(PLACES, frames, 0n, 20_000_000n)], [['a', 200], ['b', 0], ['c', 0]]); // prettier-ignore
  });
});
