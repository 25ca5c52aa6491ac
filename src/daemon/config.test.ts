import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, parseConfig, resolveConfig } from './config.ts';

const FILE = '/etc/wiremesh/wiremesh.toml';

function refusal(text: string): string {
  let message = '';
  assert.throws(
    () => parseConfig(text, FILE),
    (error) => error instanceof ConfigError && ((message = error.message), true),
  );
  return message;
}

describe('a configuration file', () => {
  it('spells settings as the command line does', () => {
    const text =
      'mesh = "home"\nstate-dir = "/srv/mesh"\nwireguard-key = "per-session"\nbootstrap = ["[2001:db8::1]:7077"]';
    assert.deepEqual(parseConfig(text, FILE), {
      mesh: 'home',
      stateDir: '/srv/mesh',
      wireguardKey: 'per-session',
      bootstrap: ['[2001:db8::1]:7077'],
    });
  });

  const refused: [why: string, text: string, message: string][] = [
    [
      'names the line and the nearest key when a key is unknown',
      'mesh = "a"\n\nprot = 1',
      'line 3: unknown key "prot": did you mean "port"?',
    ],
    [
      'finds the line of an unknown section too',
      '[network]\nmesh = "a"',
      'line 1: unknown key "network": known keys are mesh, ',
    ],
    [
      'does not take the camel case of the code for a key',
      'stateDir = "/srv"',
      'line 1: unknown key "stateDir": did you mean "state-dir"?',
    ],
    [
      'names the line and the key when a value has the wrong type',
      '# first\nport = "7077"',
      'line 2: port must be a whole number from 0 to 65535',
    ],
    ['names what is allowed when a value is not', 'trust = "all"', 'line 1: trust must be "open" or "pinned"'],
    [
      'says which element of a list is wrong',
      'bootstrap = ["a:1",\n "b"]',
      'line 1: bootstrap (number 2) must be HOST:PORT',
    ],
    ['refuses a port of zero to talk to', 'bootstrap = ["a:0"]', 'line 1: bootstrap (number 1) must be HOST:PORT'],
    ['refuses a node id that is too short', 'pin = ["abc"]', 'line 1: pin (number 1) must be a node id: 56'],
    ['names the line where it is not TOML', 'mesh = "a"\nport = = 2', 'line 2: not valid TOML: '],
  ];
  for (const [why, text, message] of refused) {
    it(why, () => {
      const said = refusal(text);
      assert.ok(said.startsWith(`${FILE} ${message}`), said);
      assert.ok(!said.includes('\n'), said);
    });
  }

  it('that was asked for and does not exist is an error', () => {
    assert.throws(
      () => resolveConfig({ config: '/nonexistent.toml' }),
      /^ConfigError: \/nonexistent.toml cannot be read \(ENOENT\)/,
    );
  });
});

describe('the resolved configuration', () => {
  it('derives the socket from the interface', () => {
    assert.equal(resolveConfig({ interface: 'wm7' }).socket, '/run/wiremesh/wm7.sock');
  });

  it('refuses pins in an open mesh, which would keep nobody out', () => {
    assert.throws(() => resolveConfig({ pin: ['0'.repeat(56)] }), /add "--trust pinned"/);
  });
});
