import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { UpScripts } from './up-scripts-for-testing.ts';

describe('wiremesh up', { skip: process.getuid?.() !== 0 && 'needs root' }, () => {
  const scripts = new UpScripts();
  const { directory, state, up } = scripts;
  beforeEach(() => scripts.clear());
  after(() => scripts.close());

  // 1BA5 is 7077.
  const holdPort = `"${process.execPath}" -e "require('dgram').createSocket('udp6').bind(7077)" & until grep -q ':1BA5 ' /proc/net/udp6; do sleep 0.1; done`;
  const failing: [why: string, script: string, says: RegExp][] = [
    [
      'the privilege is missing',
      `setpriv --bounding-set=-net_admin --inh-caps=-net_admin ${up}`,
      /needs CAP_NET_ADMIN: run "wiremesh up" as root$/,
    ],
    [
      '/dev/net/tun is missing',
      `mount -t tmpfs none /dev/net && ${up}`,
      /^wiremesh: \/dev\/net\/tun is missing: run "modprobe tun"/,
    ],
    [
      'the port is in use',
      `${holdPort}; ${up}; code=$?; kill $!; (exit $code)`,
      /UDP port 7077 is in use: stop the program/,
    ],
    [
      'the interface is there already',
      `ip link add wm0 type veth && ${up}`,
      /interface wm0 exists and is not a TUN device: remove it/,
    ],
    [
      'ip is missing',
      `mount --bind /dev/null "$(readlink -f "$(command -v ip)")" && ${up}`,
      /install the package iproute2$/,
    ],
    ['the socket cannot be made', `${up} --socket /proc/api.sock`, /API socket \/proc\/api.sock cannot be opened/],
  ];
  for (const [why, script, says] of failing) {
    it(`says in one line what to do when ${why}, and leaves nothing`, () => {
      const { code, stderr } = scripts.run(`${script}; code=$?; ip link show wm0 type tun 2>/dev/null; exit $code`);
      assert.match(stderr.trimEnd(), says);
      assert.match(stderr, /^wiremesh: [^\n]+\n$/);
      assert.equal(code, 1);
      assert.deepEqual(readdirSync(directory), []);
    });
  }

  it('does not touch a corrupt key file', () => {
    mkdirSync(state, { mode: 0o700 });
    writeFileSync(join(state, 'identity.key'), 'rubbish\n', { mode: 0o600 });
    const { code, stderr } = scripts.run(up);
    assert.match(stderr, /^wiremesh: .*identity.key is corrupt.*restore it from a backup, or move it away[^\n]*\n$/);
    assert.deepEqual([code, readdirSync(state), readdirSync(directory)], [1, ['identity.key'], ['state']]);
  });

  for (const [how, script] of [
    ['"wiremesh down"', scripts.down],
    ['SIGTERM', 'kill -TERM $pid'],
  ]) {
    it(`ends by ${how} with code 0, and leaves its state only`, () => {
      const { lines, log } = scripts.beside(script);
      assert.deepEqual(lines, ['exit 0']);
      assert.match(log, /leaving the mesh/);
      assert.deepEqual(readdirSync(directory), ['state']);
      assert.deepEqual(readdirSync(state), ['identity.key', 'seqno', 'sequence', 'wireguard.key']);
    });
  }

  it('ends with code 1 when its interface is removed, and says so', () => {
    const { lines, log } = scripts.beside('ip link delete wm0');
    assert.deepEqual(lines, ['exit 1']);
    assert.match(log, /error: leaving the mesh: /);
  });
});
