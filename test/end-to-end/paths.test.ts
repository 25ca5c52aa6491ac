/**
 * Relays, in namespaces: a line whose ends see each other over the middle only, and a ring that is cut under traffic. The
 * scenarios of `lab/scenarios` ask for less time than these, which have to pass on a machine under load.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Report } from '../../lab/run/report.ts';
import { WIREMESH } from '../../lab/daemons.ts';
import { namespacesOf, uniqueLabName } from './lab-for-testing.ts';

const LAB = uniqueLabName('pth');
const DIRECTORY = mkdtempSync(join(tmpdir(), 'wiremesh-paths-'));

/** Runs a scenario to its end. @returns what did not come true */
function failures(scenario: string): string[] {
  const file = join(DIRECTORY, 'scenario.toml');
  writeFileSync(file, scenario);
  const argv = [WIREMESH, 'lab', 'run', '--lab', LAB, file, '--json', '--output', join(DIRECTORY, 'kept')];
  const { stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: 180_000 });
  assert.equal(stderr, '');
  const { verdicts } = JSON.parse(stdout) as Report;
  assert.ok(verdicts.length > 0);
  return verdicts.filter(({ passed }) => !passed).map(({ expected, seen }) => `${expected}: ${seen}`);
}

describe('nodes without a direct path', () => {
  after(() => {
    spawnSync(process.execPath, [WIREMESH, 'lab', 'down', '--lab', LAB]);
    rmSync(DIRECTORY, { recursive: true, force: true });
    assert.deepEqual(namespacesOf(LAB), []);
  });

  it('answer each other over three relays, and no packet goes in a circle', () => {
    const seen = failures(`title = "Five in line"
[topology]
shape = "line"
nodes = 5
[[expect]]
what = "reachable"
from = "all"
to = "all"
within = "20 s"
[[expect]]
what = "no-loops"
`);
    assert.deepEqual(seen, []);
  });

  it('are reached the other way round when the link in use is cut, and stay reached when it heals', () => {
    const seen = failures(`title = "Ring of four"
duration = "32 s"
[topology]
shape = "ring"
nodes = 4
[[load]]
kind = "ping"
name = "ping"
from = "n1"
to = "n2"
interval = "20 ms"
start = "10 s"
[[event]]
at = "12 s"
name = "cut"
do = "cut"
link = "n1-n2"
[[event]]
at = "18 s"
name = "heal"
do = "heal"
link = "n1-n2"
[[expect]]
what = "outage"
load = "ping"
after = "cut"
at-most = "4 s"
[[expect]]
what = "outage"
load = "ping"
after = "heal"
at-most = "1 s"
[[expect]]
what = "no-loops"
`);
    assert.deepEqual(seen, []);
  });
});
