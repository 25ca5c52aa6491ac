/** A member that speaks Babel and lies, as issue 9 has it: what it says of others, and what it does with their packets. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { seconds } from '../machine/index.ts';
import { MeshWithLiars } from './lies-for-testing.ts';

/** As the clock of the tests has it. */
const SEQNO = 1_800_000_000 & 0xffff;

describe('a seqno that its owner has not signed', () => {
  for (const times of [1, 10]) {
    it(`draws no traffic, while the liar is there and when it is gone (${times} of it)`, () => {
      const net = new MeshWithLiars('av al vd dc', identityPrimitives);
      net.runFor(seconds(20));
      assert.equal(net.way('v', 'c'), 'vdc');
      assert.equal(net.way('a', 'c'), 'avdc');
      for (let i = 0; i < times; i++) {
        net.claim('l', 'a', 'c', { seqno: (SEQNO + 20_000 + i) & 0xffff, metric: 1 });
        assert.equal(net.talk('a', 'c', seconds(1)).lost, 0);
      }
      net.kill('l');
      assert.equal(net.talk('a', 'c', seconds(5)).lost, 0);
      assert.deepEqual([...net.loops], []);
    });
  }
});
