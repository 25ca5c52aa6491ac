/** A coarse guard, no benchmark: a change that takes most of the speed away is found before anybody measures. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { machineUnderTest } from '../../bench/machine.ts';
import { judge } from '../../bench/measure.ts';
import { compareTcp } from '../../bench/measures/tcp.ts';

const LEAST_RATIO = 3;

it(`carries at least ${LEAST_RATIO} times what Debian's wireguard-go carries, one TCP flow`, async (t) => {
  const [figure] = await compareTcp(
    'tcp-one-flow',
    {},
    { rounds: 3, seconds: 2, onRound: (line) => t.diagnostic(line) },
  );
  const { ratio = 0 } = judge(figure, machineUnderTest().wireguardGo);
  t.diagnostic(`ratio ${ratio.toFixed(2)}`);
  assert.ok(ratio >= LEAST_RATIO, `ratio ${ratio.toFixed(2)}`);
});
