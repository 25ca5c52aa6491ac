import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exploreInterleavings } from '../wireguard/interleavings-for-testing.ts';
import { Attention } from './attention.ts';

/** Lanes of the test: the attention, how much was noted, how much was seen, and whether a wake-up is under way. */
const [NOTED, SEEN, WOKEN] = [1, 2, 3];

describe('in every order of the steps of threads that note things and one that looks, attention', () => {
  for (const { of, raised, noting } of [
    { of: 'nobody looks at first', raised: 0, noting: [[1], [1]] },
    { of: 'the device thread looks already', raised: 1, noting: [[1], [1]] },
    { of: 'one thread notes twice', raised: 1, noting: [[1, 2]] },
  ]) {
    it(`leaves nothing noted that nobody will look at: ${of}`, () => {
      const lanes = new Uint32Array(new SharedArrayBuffer(16));
      lanes[0] = raised;
      const attention = new Attention(lanes);
      const note = () => {
        Atomics.add(lanes, NOTED, 1);
        if (attention.raise()) Atomics.store(lanes, WOKEN, 1);
        return undefined;
      };
      const look = () => {
        const noted = Atomics.load(lanes, NOTED);
        return Atomics.exchange(lanes, SEEN, noted) !== noted;
      };
      // It looks when it was woken or when its time has come; here, at any time.
      const attend = () => {
        Atomics.store(lanes, WOKEN, 0);
        return attention.attend(look);
      };
      const threads = [...noting.map((times) => times.map(() => note)), [attend, attend]];
      const orders = exploreInterleavings<boolean | undefined>(threads, (calls) => {
        const comesBack = calls.filter(({ thread }) => thread === threads.length - 1).at(-1)?.result === true;
        const isSeen = lanes[SEEN] === lanes[NOTED];
        assert.ok(isSeen || comesBack || lanes[WOKEN] === 1, `lost: ${lanes}`);
      });
      assert.ok(orders > 100, `${orders} orders`);
    });
  }

  it('wakes nobody while the device thread comes back anyway', () => {
    const attention = new Attention(new Uint32Array(1));
    assert.equal(attention.raise(), true);
    assert.equal(
      attention.attend(() => true),
      true,
    );
    for (let i = 0; i < 3; i++) assert.equal(attention.raise(), false);
    assert.equal(
      attention.attend(() => false),
      false,
    );
    assert.equal(attention.raise(), true);
  });
});
