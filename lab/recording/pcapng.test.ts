import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readCapture, writeFrame, writePlace, writeSection, type Frame, type Place } from './pcapng.ts';

const PLACES: Place[] = [
  { node: 'n1', interface: 'to-n2', linkType: 'ethernet' },
  { node: 'n2', interface: 'wm0', linkType: 'ip' },
];

describe('a capture', () => {
  it('is read as it was written, without a block that was cut off', () => {
    const frame = fc.record(
      {
        place: fc.nat(1),
        at: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        length: fc.nat(70_000),
        bytes: fc.uint8Array({ maxLength: 192 }),
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(frame), fc.nat(12), (frames: Frame[], cut) => {
        const last = writeFrame({ place: 0, at: 0n, length: 1, bytes: new Uint8Array(8) });
        const blocks = [writeSection(), ...PLACES.map(writePlace), ...frames.map(writeFrame)];
        const read = readCapture(Buffer.concat([...blocks, last.subarray(0, cut)]));
        assert.deepEqual(read.places, PLACES);
        assert.deepEqual(
          read.frames.map((one) => ({ ...one, bytes: new Uint8Array(one.bytes) })),
          frames,
        );
      }),
    );
  });
});
