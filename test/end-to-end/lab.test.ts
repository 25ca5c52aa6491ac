import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { runningDaemons, WIREMESH } from '../../lab/daemons.ts';
import { isRunning, processReference } from '../../lab/processes.ts';
import { labDirectory, nodePaths } from '../../lab/state.ts';
import { namespacesOf, uniqueLabName, until, wiremeshLab } from './lab-for-testing.ts';

const LAB = uniqueLabName('lab');

const lab = wiremeshLab.bind(undefined, LAB);

function assertNothingLeft(): void {
  assert.deepEqual(namespacesOf(LAB), []);
  assert.deepEqual([...runningDaemons(LAB)], []);
  assert.ok(!existsSync(labDirectory(LAB)));
}

describe('wiremesh lab', () => {
  afterEach(() => lab('down'));

  it('comes up, shows its nodes, runs commands in them, and goes without a trace', () => {
    const up = lab('up', '--nodes', '2');
    assert.deepEqual([up.code, up.stderr], [0, '']);
    assert.match(up.stdout, /^2 nodes, line; /);

    const second = lab('up', '--nodes', '2');
    assert.equal(second.code, 1);
    assert.match(second.stderr, /is up already: see "wiremesh lab status", or end it with "wiremesh lab down"\n$/);

    assert.match(lab('status').stdout, /^n1 +fd77:.* up .*\nn2 +fd77:.* up /);
    const { nodes } = JSON.parse(lab('status', '--json').stdout) as { nodes: { namespace: string }[] };
    assert.deepEqual(
      nodes.map(({ namespace }) => namespace),
      namespacesOf(LAB).sort(),
    );

    const exec = lab('exec', 'n2', '--', 'sh', '-c', 'ip -brief link; exit 7');
    assert.equal(exec.code, 7);
    assert.match(exec.stdout, /^to-n1@/m);
    assert.match(lab('exec', 'n3', '--', 'true').stderr, /no node "n3" in the lab: there are n1, n2\n$/);

    assert.deepEqual(lab('down'), { code: 0, stdout: 'the lab is down\n', stderr: '' });
    assertNothingLeft();
  });

  it('says so when there is nothing to take down or to look at', () => {
    assert.deepEqual(lab('down'), { code: 0, stdout: 'no lab is up: nothing to do\n', stderr: '' });
    assert.equal(lab('status').code, 3);
  });

  const moments: [when: string, reached: () => boolean][] = [
    ['it had recorded its plan', () => existsSync(labDirectory(LAB))],
    ['it had made a namespace', () => namespacesOf(LAB).length > 0],
    ['it had started a daemon', () => runningDaemons(LAB).size > 0],
    ['a daemon had answered', () => existsSync(nodePaths(LAB, 1).socket)],
  ];
  for (const [when, reached] of moments) {
    it(`leaves nothing behind when "up" was killed after ${when}, once it is taken down`, async () => {
      await killUpWhen(reached);
      assert.equal(lab('down').code, 0);
      assertNothingLeft();
    });
  }

  it('removes what an "up" left that was killed before the lab bore its name', async () => {
    const killed = spawn('true');
    await once(killed, 'exit');
    const draft = join(dirname(labDirectory(LAB)), `.${LAB}.${killed.pid}`);
    mkdirSync(draft, { recursive: true });
    assert.equal(lab('down').code, 0);
    assert.ok(!existsSync(draft));
  });

  it('comes up over what a killed "up" left behind', async () => {
    await killUpWhen(() => runningDaemons(LAB).size > 0);
    const up = lab('up', '--nodes', '2');
    assert.deepEqual([up.code, up.stderr], [0, '']);
    assert.equal(namespacesOf(LAB).length, 2);
    assert.equal(runningDaemons(LAB).size, 2);
  });

  it('takes itself down again when "up" is interrupted', async () => {
    const up = spawn(process.execPath, [WIREMESH, 'lab', 'up', '--lab', LAB, '--nodes', '3'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => up.once('exit', resolve));
    await until('a daemon runs', () => runningDaemons(LAB).size > 0);
    up.kill('SIGINT');
    assert.equal(await ended, 1);
    assertNothingLeft();
  });

  it("neither uses nor removes somebody else's namespace", () => {
    const foreign = `wmlab-${LAB}-n2`;
    execFileSync('ip', ['netns', 'add', foreign]);
    try {
      const up = lab('up', '--nodes', '2');
      assert.equal(up.code, 1);
      assert.match(up.stderr, /remove it with "ip netns delete/);
      assert.equal(lab('down').code, 0);
      assert.deepEqual(namespacesOf(LAB), [foreign]);
    } finally {
      execFileSync('ip', ['netns', 'delete', foreign]);
    }
  });
});

/** Starts `lab up` and kills it as soon as `reached` holds. */
async function killUpWhen(reached: () => boolean): Promise<void> {
  const up = spawn(process.execPath, [WIREMESH, 'lab', 'up', '--lab', LAB, '--nodes', '5'], { stdio: 'ignore' });
  const reference = processReference(up.pid as number);
  await until('lab up got as far as wanted', reached);
  up.kill('SIGKILL');
  await until('lab up is gone', () => reference === undefined || !isRunning(reference));
}
