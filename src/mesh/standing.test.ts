import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, seconds } from '../machine/index.ts';
import { displacedBy, MAX_CLAIMED, MAX_NODES, type Standing } from './standing.ts';

const NOW = seconds(10);
const nodes = (count: number, kind: Standing['kind'], by: string, since = NOW) =>
  Array.from({ length: count }, () => ({ standing: { kind, by, since } }));

describe('a full table', () => {
  it('of claims makes room for one of another source, from what came last of the source that has most', () => {
    const table = [...nodes(MAX_CLAIMED - 1, 'claimed', 'loud'), ...nodes(1, 'claimed', 'quiet')];
    assert.equal(displacedBy({ kind: 'claimed', by: 'newcomer' }, table, NOW), table.at(-2));
    assert.equal(displacedBy({ kind: 'claimed', by: 'loud' }, table, NOW), 'full');
  });

  it('of claims from a source each gives every one of them the time of a handshake', () => {
    const table = Array.from({ length: MAX_CLAIMED }, (_, i) => nodes(1, 'claimed', `source ${i}`, NOW)[0]);
    assert.equal(displacedBy({ kind: 'claimed', by: 'newcomer' }, table, millis(NOW + 1)), 'full');
    assert.equal(displacedBy({ kind: 'claimed', by: 'newcomer' }, table, seconds(12)), table[0]);
  });

  it('of vouched nodes takes from the neighbour that has vouched for most, and never what has been up', () => {
    const table = [
      ...nodes(MAX_NODES - 30, 'vouched', 'liar'),
      ...nodes(20, 'vouched', 'other'),
      ...nodes(10, 'proved', ''),
    ];
    assert.equal(displacedBy({ kind: 'vouched', by: 'other' }, table, NOW), table[MAX_NODES - 31]);
    assert.equal(displacedBy({ kind: 'vouched', by: 'liar' }, table, NOW), 'full');
    assert.equal(displacedBy({ kind: 'vouched', by: 'other' }, nodes(MAX_NODES, 'proved', ''), NOW), 'full');
  });

  it('of one kind is no matter of the others', () => {
    assert.equal(displacedBy({ kind: 'vouched', by: 'a' }, nodes(MAX_CLAIMED, 'claimed', 'x'), NOW), undefined);
    assert.equal(displacedBy({ kind: 'claimed', by: 'a' }, nodes(MAX_NODES - 1, 'vouched', 'x'), NOW), undefined);
  });
});
