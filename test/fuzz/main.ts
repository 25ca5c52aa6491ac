/**
 * `npm run fuzz -- [TARGET …] [--inputs N] [--seed N]` feeds hostile inputs to the targets, N in all;
 * `npm run fuzz -- TARGET --input HEX` repeats one.
 */
import { parseArgs } from 'node:util';
import { describeFailure, runWatched, type Job } from './run.ts';
import type { Target } from './target.ts';
import { targets } from './targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    input: { type: 'string' },
  },
});
const unknown = positionals.find((name) => !targets.some((target) => target.name === name));
const chosen = positionals.length === 0 ? targets : targets.filter(({ name }) => positionals.includes(name));

if (unknown !== undefined) {
  console.error(`no target ${unknown}: take one of ${targets.map(({ name }) => name).join(', ')}`);
  process.exitCode = 2;
} else if (values.input === undefined) {
  const shares = chosen.reduce((sum, { share }) => sum + share, 0);
  for (const target of chosen) {
    const inputs = Math.ceil((Number(values.inputs) * target.share) / shares);
    if (!(await fuzz(target, { target: target.name, seed: Number(values.seed), inputs }))) process.exitCode = 1;
  }
} else {
  for (const target of chosen)
    console.log(`${target.name}: ${await target.run(Uint8Array.from(Buffer.from(values.input, 'hex')))}`);
}

/** @returns whether all was well */
async function fuzz(target: Target, job: Job): Promise<boolean> {
  const startedAt = performance.now();
  const report = await runWatched(job, (done) => {
    if (process.stdout.isTTY) process.stdout.write(`\r${job.target}: ${done} of ${job.inputs} `);
  });
  const seconds = (performance.now() - startedAt) / 1000;
  if (process.stdout.isTTY) process.stdout.write('\r');
  if (!('heapGrowth' in report)) {
    console.error(describeFailure(target, job, report));
    return false;
  }
  const rate = Math.round(job.inputs / seconds);
  const growth = Math.round(report.heapGrowth / 1024);
  console.log(`${job.target}: ${job.inputs} inputs, ${rate}/s, heap ${growth >= 0 ? '+' : ''}${growth} KiB`);
  for (const [outcome, count] of Object.entries(report.outcomes).sort(([, a], [, b]) => b - a)) {
    console.log(`    ${String(count).padStart(9)}  ${outcome}`);
  }
  return true;
}
