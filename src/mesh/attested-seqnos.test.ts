import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSeqnoLess } from '../babel/index.ts';
import { identityPrimitives } from '../crypto/node.ts';
import { millis } from '../machine/index.ts';
import { AttestedSeqnos } from './attested-seqnos.ts';
import { identityFromSeed } from './identity.ts';
import type { NodeContext } from './node-context.ts';
import { Outbox } from './outbox.ts';

const TAG = new Uint8Array(4);

function life(storedSeqno: number | undefined): { seqnos: AttestedSeqnos; stored: () => number[] } {
  const identitySeed = new Uint8Array(32).fill(1);
  const { nodeId } = identityFromSeed(identitySeed, identityPrimitives);
  const outbox = new Outbox(TAG);
  const options = { identitySeed, storedSeqno, unixTime: () => millis(65_536_000), primitives: identityPrimitives };
  const seqnos = new AttestedSeqnos({ options, nodeId, tag: TAG, outbox } as unknown as NodeContext);
  const stored: number[] = [];
  return {
    seqnos,
    stored: () => {
      for (let wish = outbox.poll(); wish !== undefined; wish = outbox.poll()) {
        if (wish.kind === 'store-seqno') stored.push(wish.seqno);
      }
      return stored;
    },
  };
}

describe('our own seqno', () => {
  it('begins where an earlier life ended, or where the clock is', () => {
    assert.equal(life(777).seqnos.first(), 777);
    assert.equal(life(undefined).seqnos.first(), 0);
  });

  it('is on disk before it is said, once in many', () => {
    const { seqnos, stored } = life(undefined);
    for (let seqno = 65_500; seqno < 65_700; seqno++) {
      seqnos.attest(seqno & 0xffff);
      assert.ok(isSeqnoLess(seqno & 0xffff, stored().at(-1) ?? 0), `${seqno}`);
    }
    assert.ok(stored().length <= 5, `${stored().length} writes`);
  });
});
