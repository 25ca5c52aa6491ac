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
      '[gateways]\nmesh = "a"',
      'line 1: unknown key "gateways": known keys are mesh, ',
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
    ['wants lists of tables', 'mesh = "a"\n[network]', 'line 2: network must be a list: write [[network]]'],
    [
      'finds the key in the table that it stands in',
      '[[network]]\nprefix = "::/0"\npreference = 1\n[[network]]\nprefix = "0.0.0.0/0"\npreference = 65536',
      'line 6: network (number 2): preference must be a whole number from 0 to 65535',
    ],
    [
      'names the nearest key of a table',
      '[[import]]\nprefx = "::/0"\nfrom = "any"',
      'line 2: import (number 1): unknown key "prefx": did you mean "prefix"?',
    ],
    ['says what is missing', '\n[[import]]\nprefix = "::/0"', 'line 2: import (number 1): from is missing'],
    [
      'refuses a prefix with bits behind its length',
      '[[network]]\nprefix = "10.20.0.1/16"',
      'line 2: network (number 1): prefix must be a prefix such as "10.20.0.0/16"',
    ],
    [
      'refuses an import of no prefix, or two',
      '[[import]]\nfrom = "any"\nprefix = "::/0"\nwithin = "::/0"',
      'line 1: import (number 1) must have either "prefix" or "within", and not both',
    ],
    [
      'refuses an import from what is no node id',
      '[[import]]\nprefix = "::/0"\nfrom = ["gate"]',
      'line 3: import (number 1): from must be a node id: 56',
    ],
    [
      'refuses an import from nobody',
      '[[import]]\nprefix = "::/0"\nfrom = []',
      'line 3: import (number 1): from must be "any", or a list of node ids',
    ],
    ['refuses an address that is many', 'address = ["10.77.0.0/16"]', 'line 1: address (number 1) must be an address'],
    ['refuses the tables of the kernel', 'table = 254', 'line 1: table must not be 253, 254 or 255'],
    [
      'refuses an address in the mesh',
      'address = ["10.0.0.1/32", "fd77::1/128"]',
      'line 1: address (number 2) must not lie in fd77::/16',
    ],
    [
      'refuses to import what the node offers',
      '[[network]]\nprefix = "::/0"\n[[import]]\nprefix = "::/0"\nfrom = "any"',
      'line 4: import (number 1): prefix is ::/0, which this node offers itself',
    ],
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
