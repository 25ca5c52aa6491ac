import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeFailure, Inputs, runWatched } from './run.ts';
import { targets } from './targets.ts';

/** A short run: what `npm run fuzz` does with ten million. */
const INPUTS = 200_000;
const SEED = 1;

describe('hostile input', () => {
  const shares = targets.reduce((sum, { share }) => sum + share, 0);
  for (const target of targets) {
    it(`does no harm to ${target.name}`, async () => {
      const job = { target: target.name, seed: SEED, inputs: Math.ceil((INPUTS * target.share) / shares) };
      const report = await runWatched(job);
      const inputs = new Inputs(target, SEED);
      if ('reason' in report) assert.fail(describeFailure(job, report, inputs.make(report.number)));
      for (const outcome of target.outcomes) assert.ok(outcome in report.outcomes, `none came to "${outcome}"`);
    });
  }
});

describe('an input', () => {
  it('is the same whenever it is made, and others are others', () => {
    for (const target of targets) {
      const inputs = Array.from({ length: 200 }, (_, number) => new Inputs(target, SEED).make(number));
      const again = new Inputs(target, SEED);
      for (const number of [199, 0, 100]) assert.deepEqual(again.make(number), inputs[number]);
      const distinct = new Set(inputs.map((input) => Buffer.from(input).toString('hex')));
      assert.ok(distinct.size > 150, `${target.name}: ${distinct.size} of 200`);
      assert.notDeepEqual(new Inputs(target, SEED + 1).make(0), inputs[0]);
    }
  });
});

describe('a run', () => {
  it('tells what failed and how to repeat it', () => {
    const failure = { number: 5, reason: 'reads two bytes too many' };
    assert.equal(
      describeFailure({ target: 'ecn', seed: 7, inputs: 9 }, failure, Uint8Array.of(1, 255)),
      'ecn, seed 7, input 5: reads two bytes too many\n\n  npm run fuzz -- ecn --input 01ff\n',
    );
  });
});
