/**
 * The short ones of lab/scenarios, run by the lab as users run them, with what they ask for: how soon nodes without a
 * direct path answer each other, what is lost when a link or a gateway dies. Needs root, /dev/net/tun, nft and iperf3.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { namespacesOf, uniqueLabName, wiremeshLab } from './lab-for-testing.ts';

const LAB = uniqueLabName('shp');
const DIRECTORY = mkdtempSync(join(tmpdir(), 'wiremesh-shipped-'));

function assertPasses(scenario: string): void {
  const { code, stdout, stderr } = wiremeshLab(LAB, 'run', scenario, '--output', DIRECTORY);
  assert.equal(code, 0, stdout + stderr);
}

describe('a scenario that ships', () => {
  afterEach(() => {
    wiremeshLab(LAB, 'down');
    assert.deepEqual(namespacesOf(LAB), []);
  });
  after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

  it('has the ends of a line answer each other over a relay within 3 s', () => assertPasses('line-3'));
  it('has ten in line answer each other within 15 s', () => assertPasses('line-10'));
  it('has ten in a ring answer each other within 15 s', () => assertPasses('ring-10'));
  it('loses a second at most when the link in use is cut, nothing when it heals', () => assertPasses('ring-cut'));
  it('gets a direct path through two NATs, and loses and reorders nothing meanwhile', () => assertPasses('nat-pair'));
  it('gets it too where one of the two is farther from its NAT', () => assertPasses('punch-late-side'));
  it('has two nodes 300 ms apart find each other, and keep their path under traffic', () => assertPasses('slow-link'));
  it('has clients behind two symmetric NATs stay relayed', () => assertPasses('nat-symmetric'));
  it('has two gateways stand in for each other within a second, and TCP goes on', () => assertPasses('gateways'));
});
