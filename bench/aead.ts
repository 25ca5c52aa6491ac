/** `node dist/bench/aead.js`: nanoseconds for one seal and one open of 1,424 bytes, by each implementation. */
import { workingAeads } from '../src/crypto/aead.ts';
import { median } from './statistics.ts';

const ROUNDS = 9;
const CALLS = 20_000;
const LENGTH = 1424;

const rows = workingAeads().map(([name, aead]) => ({ name, key: aead(new Uint8Array(32)), seal: [0], both: [0] }));
const buffer = new Uint8Array(2048);
const opened = new Uint8Array(2048);
const counter = { high: 0, low: 0 };

for (let round = 0; round <= ROUNDS; round++) {
  for (const { key, seal, both } of rows) {
    seal[round] = measure(() => key.seal(counter, buffer, 80, LENGTH));
    // Opening wants something that opens, and leaves nothing such: so it is measured together with sealing.
    both[round] = measure(() => {
      key.seal(counter, buffer, 80, LENGTH);
      key.open(counter, buffer, 80, LENGTH + 16, opened, 64);
    });
  }
}
console.table(
  rows.map(({ name, seal, both }) => {
    const sealTime = median(seal.slice(1)); // The first round warms up.
    return { name, 'seal, ns': Math.round(sealTime), 'open, ns': Math.round(median(both.slice(1)) - sealTime) };
  }),
);

function measure(call: () => void): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < CALLS; i++) call();
  return Number(process.hrtime.bigint() - start) / CALLS;
}
