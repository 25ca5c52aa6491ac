import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LogOutput } from './log-output.ts';

/** A file that takes what there is room for. */
class Room {
  text = '';
  bytes = Infinity;
  error = 'ENOSPC';

  readonly output = new LogOutput(
    (bytes) => {
      if (this.bytes === 0) throw Object.assign(new Error('full'), { code: this.error });
      const taken = bytes.subarray(0, this.bytes);
      this.bytes -= taken.length;
      this.text += Buffer.from(taken).toString();
      return taken.length;
    },
    ({ count, code }) => `(${count} lost, ${code})\n`,
  );
}

describe('the output of the log', () => {
  it('writes one line after the other', () => {
    const room = new Room();
    room.output.write('one\n');
    room.output.write('two\n');
    assert.equal(room.text, 'one\ntwo\n');
  });

  it('loses the lines that nobody takes, and says how many once somebody does', () => {
    const room = new Room();
    room.bytes = 0;
    for (const line of ['one\n', 'two\n', 'three\n']) room.output.write(line);
    room.bytes = Infinity;
    room.output.write('four\n');
    room.output.write('five\n');
    assert.equal(room.text, '(3 lost, ENOSPC)\nfour\nfive\n');
  });

  it('finishes a line of which only a part was taken before it begins the next', () => {
    const room = new Room();
    room.bytes = 2;
    room.output.write('one\n');
    room.output.write('two\n');
    assert.equal(room.text, 'on');
    room.bytes = Infinity;
    room.output.write('three\n');
    assert.equal(room.text, 'one\n(1 lost, ENOSPC)\nthree\n');
  });

  it('does not hide an error that is no answer of a file', () => {
    const broken = new LogOutput(
      () => {
        throw new TypeError('a fault of the program');
      },
      () => '',
    );
    assert.throws(() => broken.write('one\n'), TypeError);
  });
});
