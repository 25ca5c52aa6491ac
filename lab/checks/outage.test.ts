import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { outageOf } from './outage.ts';

/** One packet every 10 ms; a dot is answered. */
function packets(pattern: string) {
  return [...pattern].map((mark, i) => ({ at: i * 10, isAnswered: mark === '.' }));
}

describe('an outage', () => {
  const cases: [pattern: string, longest: number, lost: number][] = [
    ['......', 0, 0],
    ['..x...', 10, 1],
    ['.xx.xxx.x', 30, 6],
    ['...xxx', 30, 3],
    ['', 0, 0],
  ];
  for (const [pattern, longest, lost] of cases) {
    it(`of "${pattern}" is ${longest} ms long, with ${lost} lost`, () => {
      assert.deepEqual(outageOf(packets(pattern), 10, 0, Infinity), {
        ...{ longest, lost, sent: pattern.length, isOver: !pattern.endsWith('x') },
      });
    });
  }

  it('counts what was sent in the window alone', () => {
    assert.deepEqual(outageOf(packets('xx..x.xx'), 10, 20, 60), { longest: 10, lost: 1, sent: 4, isOver: true });
  });

  it('lasts from the first packet to the next one answered, also where packets were sent late', () => {
    const late = [
      { at: 0, isAnswered: false },
      { at: 400, isAnswered: false },
      { at: 410, isAnswered: true },
    ];
    assert.equal(outageOf(late, 10, 0, 1000).longest, 410);
  });
});
