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
      if ('reason' in report) assert.fail(describeFailure(target, job, report));
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
    const [target] = targets;
    const job = { target: target.name, seed: 7, inputs: 9 };
    const input = Buffer.from(new Inputs(target, 7).make(5)).toString('hex');
    assert.equal(
      describeFailure(target, job, { number: 5, reason: 'reads too much' }),
      `messages, seed 7, input 5: reads too much\n\n  npm run fuzz -- messages --input ${input}\n`,
    );
    assert.equal(
      describeFailure(target, job, { number: undefined, reason: 'the heap grew' }),
      'messages: the heap grew\n\n  npm run fuzz -- messages --seed 7 --inputs 9\n',
    );
  });
});
