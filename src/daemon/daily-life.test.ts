import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { UpScripts } from './up-scripts-for-testing.ts';

const needsRoot = { skip: process.getuid?.() !== 0 && 'needs root' };

/** What a running daemon puts into the kernel and the file system, less its state directory. */
const LEFT = 'ip -o link show wm0; ip rule | grep -c 7077; nft list tables | grep -c wiremesh';

describe('a daemon that is sent a signal', needsRoot, () => {
  const scripts = new UpScripts();
  beforeEach(() => scripts.clear());
  after(() => scripts.close());

  for (const signal of ['INT', 'QUIT']) {
    it(`ends in order by SIG${signal}, and leaves its state only`, () => {
      const { stdout, stderr } = scripts.run(
        `${scripts.up} & pid=$!; ${scripts.wait}; kill -${signal} $pid; wait $pid; echo exit $?; ${LEFT}`,
      );
      assert.equal(stdout, 'exit 0\n0\n0\n');
      assert.match(stderr, new RegExp(`leaving the mesh: SIG${signal}\n`));
      assert.deepEqual(readdirSync(scripts.directory), ['state']);
    });
  }

  it('ends in order when its terminal is closed, and leaves its state only', () => {
    // `script` gives it a terminal, which goes when `script` is killed.
    const { stdout } = scripts.run(
      `script -qfc '${scripts.up} & echo $! > ${scripts.directory}/pid; wait' ${scripts.directory}/log > /dev/null &
       terminal=$!; ${scripts.wait}; pid=$(cat ${scripts.directory}/pid)
       kill -KILL $terminal; while kill -0 $pid 2>/dev/null; do sleep 0.05; done; ${LEFT}`,
    );
    assert.equal(stdout, '0\n0\n');
    assert.ok(!readdirSync(scripts.directory).includes('api.sock'));
  });

  it('goes on, and says what the signal does not do, where there is no terminal', () => {
    const { lines, log } = scripts.beside(
      `for signal in HUP USR1 USR2; do kill -$signal $pid; ${scripts.status} > /dev/null && echo up; done; ${scripts.down}`,
    );
    assert.deepEqual(lines, ['up', 'up', 'up', 'exit 0']);
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2']) assert.match(log, new RegExp(`${signal} changes nothing`));
    assert.doesNotMatch(log, /[Dd]ebugger/);
  });

  it('ends with code 0 while it is still being loaded', () => {
    // Node itself catches SIGTERM from early on, SIGHUP (the lowest bit) only for who asks for it.
    const isListening = `grep -Eq '^SigCgt:.*[13579bdf]$' /proc/$pid/status`;
    const { stdout } = scripts.run(
      `${scripts.up} & pid=$!; until ${isListening}; do :; done; kill -TERM $pid; wait $pid; echo exit $?; ${LEFT}`,
    );
    assert.equal(stdout, 'exit 0\n0\n0\n');
  });
});

describe('a daemon whose log goes nowhere', needsRoot, () => {
  const scripts = new UpScripts();
  beforeEach(() => scripts.clear());
  after(() => scripts.close());

  it('goes on when the reader of its log has gone', () => {
    const reader = join(scripts.directory, 'reader');
    const { stdout } = scripts.run(
      `mkfifo ${reader}; ${scripts.up} 2> ${reader} & pid=$!; head -n 1 ${reader} > /dev/null; ${scripts.wait}
       kill -HUP $pid; ${scripts.status} > /dev/null && echo up; ${scripts.down}; wait $pid; echo exit $?`,
    );
    assert.equal(stdout, 'up\nexit 0\n');
  });

  it('goes on when the disk that its log is on is full, and says what was lost once it is not', () => {
    const { stdout } = scripts.run(
      `mkdir ${scripts.directory}/small; mount -t tmpfs -o size=8k none ${scripts.directory}/small; cd ${scripts.directory}/small
       head -c 4096 /dev/zero > filler; head -c 4090 /dev/zero > log
       ${scripts.up} 2>> log & pid=$!; ${scripts.wait}; kill -HUP $pid; ${scripts.status} > /dev/null && echo up
       rm filler; kill -HUP $pid; ${scripts.down}; wait $pid; echo exit $?; tr -d '\\0' < log; cd /; umount ${scripts.directory}/small`,
    );
    assert.match(stdout, /^up\nexit 0\n/);
    assert.match(stdout, /warning: \d+ lines of this log could not be written \(ENOSPC\)\n/);
    assert.match(stdout, /leaving the mesh: asked by "wiremesh down"\n/);
  });
});

describe('a state directory that cannot hold anything', needsRoot, () => {
  const scripts = new UpScripts();
  beforeEach(() => scripts.clear());
  after(() => scripts.close());

  it('on a full disk is said in one line, with what to do', () => {
    const { code, stderr } = scripts.run(
      `mkdir -m 700 ${scripts.state}; mount -t tmpfs -o size=4k,mode=700 none ${scripts.state}
       head -c 4096 /dev/zero > ${scripts.state}/filler; ${scripts.up}; code=$?; umount ${scripts.state}; exit $code`,
    );
    assert.match(stderr, /^wiremesh: [^\n]*identity.key cannot be written \(ENOSPC\): the disk is full, make room\n$/m);
    assert.equal(code, 1);
  });

  for (const [name, says] of [
    ['sequence', /sequence cannot be read \(EISDIR\): it is a directory, move it away\n$/],
    ['identity.key', /identity.key is no file: move it away to get a new key\n$/],
  ] as const) {
    it(`says that ${name} is a directory`, () => {
      mkdirSync(scripts.state, { mode: 0o700 });
      mkdirSync(join(scripts.state, name), { mode: 0o700 });
      assert.match(scripts.run(scripts.up).stderr, says);
    });
  }

  it('says that it is a file', () => {
    writeFileSync(scripts.state, '');
    assert.match(scripts.run(scripts.up).stderr, /\(ENOTDIR\): it is no directory, move it away or choose another/);
  });
});

describe('a command that asks a daemon', needsRoot, () => {
  const scripts = new UpScripts();
  after(() => scripts.close());

  it('says with code 3 that the daemon does not answer, in time', () => {
    const { stdout, stderr } = scripts.run(
      `${scripts.up} & pid=$!; ${scripts.wait}; kill -STOP $pid; ${scripts.status}; echo $?; kill -CONT $pid; ${scripts.down}; wait`,
    );
    assert.equal(stdout, '3\n');
    assert.match(stderr, /has not answered for 5 s: if it was stopped, continue it \("kill -CONT"\)/);
  });

  it('says that what answers is no daemon', () => {
    const { stderr } = scripts.run(
      `"${process.execPath}" -e "require('net').createServer((c) => c.end('SSH-2.0\\n')).listen('${scripts.socket}').unref(); setTimeout(() => 0, 3000)" &
       until [ -S "${scripts.socket}" ]; do sleep 0.1; done; ${scripts.status}`,
    );
    assert.match(stderr, /^wiremesh: what answers on .*api.sock is no wiremesh daemon: name another with --socket\n$/);
  });
});
