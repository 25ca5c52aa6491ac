/** Two gateways in namespaces, run by the lab as users run it. Needs root, /dev/net/tun and nft. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { WIREMESH } from '../../lab/daemons.ts';
import { namespacesOf, uniqueLabName } from './lab-for-testing.ts';

const LAB = uniqueLabName('gw');
const DIRECTORY = mkdtempSync(join(tmpdir(), 'wiremesh-gateways-'));

describe('two gateways to the internet', () => {
  after(() => {
    spawnSync(process.execPath, [WIREMESH, 'lab', 'down', '--lab', LAB]);
    rmSync(DIRECTORY, { recursive: true, force: true });
    assert.deepEqual(namespacesOf(LAB), []);
  });

  it('stand in for each other within a second, and a TCP connection goes on', () => {
    const argv = [WIREMESH, 'lab', 'run', 'gateways', '--lab', LAB, '--output', DIRECTORY];
    const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: 180_000 });
    assert.equal(status, 0, stdout + stderr);
  });
});
