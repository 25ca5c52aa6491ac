import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/wiremesh.js', import.meta.url));

/** Runs the command as it is built. */
function wiremesh(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

describe('the wiremesh command', () => {
  const wrong: [args: string[], says: RegExp][] = [
    [['up', '--mehs', 'home'], /unknown option '--mehs' \(Did you mean --mesh\?\)/],
    [['up', '--port', '99999'], /--port <number>.*It must be a whole number from 0 to 65535/],
    [['up', '--port', '7x'], /It must be a whole number/],
    [['up', '--interface', 'a/b'], /It must be an interface name/],
    [['up', '--bootstrap', '2001:db8::1'], /It must be HOST:PORT, such as/],
    [['up', '--bootstrap', '[fe80::1]:7077'], /It must name a host: on a link nodes find each other without it/],
    [['up', '--bootstrap', '0.0.0.0:7077'], /It must name a host/],
    [['up', '--bootstrap', '[ff02::1]:7077'], /It must name a host/],
    [['up', '--trust', 'all'], /It must be "open" or "pinned"/],
    [['up', '--pin', 'abc'], /It must be a node id: 56 hexadecimal digits/],
    [['up', '--port'], /argument missing/],
    [['up', 'now'], /too many arguments/],
    [['stauts'], /unknown command 'stauts' \(Did you mean status\?\)/],
    [['status', '--jsno'], /unknown option '--jsno' \(Did you mean --json\?\)/],
    [['up', '--config', '/nonexistent.toml'], /\/nonexistent.toml cannot be read \(ENOENT\)/],
  ];
  for (const [args, says] of wrong) {
    it(`refuses "${args.join(' ')}" in one line and with code 2`, () => {
      const { code, stdout, stderr } = wiremesh(...args);
      assert.match(stderr, says);
      assert.match(stderr, /^wiremesh: [^\n]+\n$/);
      assert.deepEqual([code, stdout], [2, '']);
    });
  }

  for (const name of ['\u001b[31mroot', 'a\u009b2Jb', 'a\nb', '\u202eroot', 'a\u200bb', 'two words', '\ufffd', '']) {
    it(`refuses the name ${JSON.stringify(name)}, and repeats nothing that a terminal could obey`, () => {
      const { code, stderr } = wiremesh('up', '--name', name);
      assert.match(stderr, /It must be 1 to 64 printable characters without blanks/);
      assert.match(stderr, /^wiremesh: [^\p{C}]+\n$/u);
      assert.equal(code, 2);
    });
  }

  it('does not repeat 5,000 letters', () => {
    const { stderr } = wiremesh('up', '--name', 'x'.repeat(5000));
    assert.match(stderr, /x… is invalid\. It must be|'x{39}… is invalid/);
    assert.ok(stderr.length < 250, stderr);
  });

  it('says of a file what is in it, and does not do what is in it', () => {
    const { stderr } = wiremesh('up', '--config', '/nonexistent\u001b[2J\u009b1m');
    assert.match(stderr, /\/nonexistent\?\[2J\?1m cannot be read/);
  });

  for (const command of ['status', 'down']) {
    it(`says that nothing runs, with code 3, when "${command}" finds no daemon`, () => {
      const { code, stdout, stderr } = wiremesh(command, '--interface', 'nothere');
      const line = 'wiremesh: no wiremesh daemon on /run/wiremesh/nothere.sock: start one with "wiremesh up"\n';
      assert.deepEqual([code, stdout, stderr], [3, '', line]);
    });
  }

  it('knows its version from the package', () => {
    const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(wiremesh('--version'), { code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  it('shows help when asked, and complains with it when told nothing', () => {
    const asked = wiremesh('up', '--help');
    assert.deepEqual([asked.code, asked.stderr], [0, '']);
    assert.match(asked.stdout, /--bootstrap <host:port\.\.\.>/);
    assert.equal(wiremesh().code, 2);
  });
});
