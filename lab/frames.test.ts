import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { classifyFrame, FRAME_KINDS, type FrameKind } from './frames.ts';

function frame(family: 4 | 6, protocol: number, payload: number[], length: number): Uint8Array {
  const header = family === 6 ? new Uint8Array(14 + 40 + 8) : new Uint8Array(14 + 24 + 8);
  header.set(family === 6 ? [0x86, 0xdd, 0x60] : [0x08, 0x00, 0x46], 12);
  header[14 + (family === 6 ? 6 : 9)] = protocol;
  const bytes = new Uint8Array(header.length + length);
  bytes.set(header);
  bytes.set(payload, header.length);
  return bytes;
}

describe('a frame on a link', () => {
  const cases: [name: string, payload: number[], length: number, kind: FrameKind][] = [
    ['a handshake initiation', [1, 0, 0, 0], 148, 'initiation'],
    ['a handshake response', [2, 0, 0, 0], 92, 'response'],
    ['a cookie reply', [3, 0, 0, 0], 64, 'cookie-reply'],
    ['a keepalive', [4, 0, 0, 0], 32, 'transport'],
    ['a train of transport messages', [4, 0, 0, 0], 45_000, 'transport'],
    ['a message of the mesh', [0x77, 1, 2, 3], 60, 'mesh'],
    ['an initiation cut short', [1, 0, 0, 0], 147, 'other'],
    ['an initiation with a reserved bit set', [1, 0, 0, 1], 148, 'other'],
    ['too little to tell', [4, 0], 2, 'other'],
  ];
  for (const [name, payload, length, kind] of cases) {
    it(`is told to hold ${name}, over IPv6 and over IPv4 with options`, () => {
      assert.equal(classifyFrame(frame(6, 17, payload, length)), kind);
      assert.equal(classifyFrame(frame(4, 17, payload, length)), kind);
    });
  }

  it('is something else if it is not UDP', () => {
    assert.equal(classifyFrame(frame(6, 58, [1, 0, 0, 0], 148)), 'other');
  });

  it('is never a reason to fail', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => FRAME_KINDS.includes(classifyFrame(bytes))));
  });
});
