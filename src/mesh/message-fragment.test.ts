import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fragmentsOf, lengthOfFragment, MessageAssembly, readFragment, writeFragment } from './message-fragment.ts';

const message = Uint8Array.from({ length: 1200 }, (_, i) => i & 255);

describe('a message in fragments', () => {
  it('is whole again when the last has come, in whatever order', () => {
    const assembly = new MessageAssembly();
    const [first, second, third] = fragmentsOf(message, 7, 500);
    assert.equal(assembly.take(third), undefined);
    assert.equal(assembly.take(first), undefined);
    assert.equal(assembly.take(first), undefined);
    assert.deepEqual(assembly.take(second), message);
    assert.equal(assembly.take(second), undefined);
  });

  it('is read as it was written', () => {
    for (const fragment of fragmentsOf(message, 2 ** 32 - 1, 500)) {
      const body = new Uint8Array(lengthOfFragment(fragment));
      writeFragment(fragment, body);
      assert.deepEqual(readFragment(body), fragment);
    }
  });

  it('has at most eight, each of which says something', () => {
    assert.equal(readFragment(Uint8Array.of(0, 0, 0, 1, 0, 9, 1)), undefined);
    assert.equal(readFragment(Uint8Array.of(0, 0, 0, 1, 2, 2, 1)), undefined);
    assert.equal(readFragment(Uint8Array.of(0, 0, 0, 1, 0, 1)), undefined);
    assert.equal(readFragment(new Uint8Array(3)), undefined);
  });

  it('costs the receiver four unfinished messages at most, and none longer than a message may be', () => {
    const assembly = new MessageAssembly();
    const first = fragmentsOf(message, 0, 600);
    assembly.take(first[0]);
    for (let id = 1; id <= 4; id++) assembly.take(fragmentsOf(message, id, 600)[0]);
    assert.equal(assembly.take(first[1]), undefined);
    const long = fragmentsOf(new Uint8Array(1201), 9, 601);
    assembly.take(long[0]);
    assert.equal(assembly.take(long[1]), undefined);
  });
});
