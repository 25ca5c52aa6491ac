import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { IndexTable } from './index-table.ts';

describe('receiver indices', () => {
  it('are drawn again until they are free, and free again once removed', () => {
    const draws = [
      [255, 255, 255, 254],
      [0, 0, 0, 1],
      [0, 0, 0, 1],
      [255, 255, 255, 254],
      [0, 0, 0, 2],
      [0, 0, 0, 1],
    ];
    const table = new IndexTable<string, string>(() => Uint8Array.from(draws.shift()!));
    assert.equal(table.allocate('a'), 0xffff_fffe);
    assert.equal(table.allocate('b'), 1);
    table.promote(1, 'keypair of b');
    assert.equal(table.allocate('c'), 2);
    table.remove(1);
    assert.equal(table.keypair(1), undefined);
    assert.equal(table.allocate('d'), 1);
  });

  it('are of a handshake or of a keypair, never of both', () => {
    const table = new IndexTable<string, string>(() => Uint8Array.of(200, 0, 0, 1));
    const index = table.allocate('peer');
    assert.deepEqual([table.handshake(index), table.keypair(index)], ['peer', undefined]);
    table.promote(index, 'keypair');
    assert.deepEqual([table.handshake(index), table.keypair(index)], [undefined, 'keypair']);
  });
});
