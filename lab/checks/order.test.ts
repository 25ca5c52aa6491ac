import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { longestOvertaken } from './order.ts';

describe('the order of answers', () => {
  it('is kept where each comes after those before it, lost ones or not', () => {
    assert.equal(longestOvertaken([10, 20, undefined, 30]), 0);
    assert.equal(longestOvertaken([undefined, undefined]), 0);
    assert.equal(longestOvertaken([]), 0);
  });

  it('is broken for as long as an answer comes after that of any later packet', () => {
    assert.equal(longestOvertaken([10, 45, 20, 38, 50]), 25);
    assert.equal(longestOvertaken([90, 20, 21, 22]), 70);
  });
});
