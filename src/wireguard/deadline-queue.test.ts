import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { millis } from '../machine/index.ts';
import { DeadlineQueue } from './deadline-queue.ts';

describe('the deadlines of many owners', () => {
  it('agree with a map, whatever is set, moved and taken away', () => {
    const step = fc.record({ owner: fc.nat(20), at: fc.option(fc.nat(100), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const queue = new DeadlineQueue<number>();
        const naive = new Map<number, number>();
        for (const { owner, at } of steps) {
          queue.set(owner, at === undefined ? undefined : millis(at));
          if (at === undefined) naive.delete(owner);
          else naive.set(owner, at);
          assert.equal(queue.next(), naive.size === 0 ? undefined : Math.min(...naive.values()));
        }
        const order: number[] = [];
        for (let at = queue.next(); at !== undefined; at = queue.next()) {
          assert.equal(queue.takeDue(millis(at - 1)), undefined);
          const owner = queue.takeDue(at)!;
          assert.equal(naive.get(owner), at);
          naive.delete(owner);
          order.push(at);
        }
        assert.equal(naive.size, 0);
        assert.deepEqual(
          order,
          [...order].sort((a, b) => a - b),
        );
      }),
    );
  });
});
