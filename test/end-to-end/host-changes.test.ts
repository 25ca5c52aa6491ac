/**
 * Whatever somebody does on a host to what the mesh has put up there is put back, and meanwhile nothing that is for the
 * mesh leaves by the underlay. Needs root, /dev/net/tun, iproute2 and nft.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { after, afterEach, before, describe, it } from 'node:test';
import { end, until, wire, type Host } from '../interop/hosts.ts';
import { MeshHost } from './mesh-host.ts';

const WATCH = fileURLToPath(new URL('clear-text-watch.js', import.meta.url));
/** Of the internet, as the gateway leads to it. */
const OUTSIDE = { 4: '198.51.100.1', 6: '2001:db8:ffff::1' } as const;
const PORT = 9999;

/** Sends to both families without end, whatever becomes of it. */
const TALK = `
  for (const [type, to] of [['udp4', '${OUTSIDE[4]}'], ['udp6', '${OUTSIDE[6]}']]) {
    const socket = require('dgram').createSocket(type);
    socket.on('error', () => undefined);
    setInterval(() => socket.send('private', ${PORT}, to, () => process.stdout.write(type[3])), 4);
  }`;
const LISTEN = `
  for (const type of ['udp4', 'udp6']) {
    const socket = require('dgram').createSocket({ type, ipv6Only: type === 'udp6' });
    socket.on('message', () => process.stdout.write(type[3]));
    socket.bind(${PORT});
  }`;

const CONFIG = `
  address = ["10.77.0.5/32"]
  [[import]]
  prefix = "0.0.0.0/0"
  from = "any"
  [[import]]
  prefix = "::/0"
  from = "any"
`;

/** A program that says something as long as it runs. */
class Program {
  readonly #child: ChildProcess;
  said = '';

  constructor(host: Host, ...argv: readonly string[]) {
    this.#child = host.start([process.execPath, ...argv]);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (text: Buffer) => (this.said += text.toString()));
    }
  }

  close(): Promise<void> {
    return end(this.#child);
  }
}

describe('a host that sends everything through its mesh, under traffic', () => {
  let client: MeshHost;
  let gateway: MeshHost;
  let watch: Program;
  let talk: Program;
  let heard: Program;
  let untouched: string;
  let told = 0;

  const all = async (host: Host): Promise<string> => {
    const parts = [
      ...[4, 6].flatMap((family) => [
        [`-${family}`, 'rule', 'list'],
        [`-${family}`, 'route', 'list', 'table', '7077'],
        [`-${family}`, 'route', 'list', 'table', 'main'],
        [`-${family}`, '-brief', 'address', 'show', 'dev', 'wm0'],
      ]),
      ['-brief', 'link', 'show', 'dev', 'wm0'],
    ];
    // While the interface has another name there is nothing to be shown of it.
    return (await Promise.all(parts.map((argv) => host.attempt(['ip', ...argv])))).map(({ output }) => output).join('');
  };
  const saysMore = async (program: Program): Promise<void> => {
    program.said = '';
    await until('packets of both families are told of', () =>
      Promise.resolve(['4', '6'].every((family) => program.said.split(family).length > 20)),
    );
  };
  const flows = () => saysMore(heard);
  /** What the log has said of changes of the host since it was asked last. */
  const news = async (): Promise<string> => {
    const changes = (await client.status())?.host.changes ?? [];
    const words = changes.map((change) => change.words).slice(told);
    told = changes.length;
    for (const word of words) assert.ok(client.log.includes(word), `"${word}" in the log`);
    return words.join('\n');
  };
  /** Waits until all is as it was. @returns what was said */
  const mended = async (): Promise<string> => {
    await until('all is as it was', async () => (await all(client.host)) === untouched).catch(
      async (error: unknown) => {
        throw new Error(`${(error as Error).message}\n${await all(client.host)}\nlog: ${client.log}\n`);
      },
    );
    await flows();
    return news();
  };

  before(async () => {
    gateway = await MeshHost.create('gateway');
    client = await MeshHost.create('client');
    await wire([gateway.host, 'eth0'], [client.host, 'eth0']);
    for (const [i, { host }] of [gateway, client].entries()) {
      await host.ip('address', 'add', `192.168.7.${i + 1}/24`, 'dev', 'eth0');
      await host.ip('address', 'add', `2001:db8:7::${i + 1}/64`, 'dev', 'eth0', 'nodad');
      await host.ip('link', 'set', 'eth0', 'up');
    }
    for (const address of Object.values(OUTSIDE)) await gateway.host.ip('address', 'add', address, 'dev', 'lo');
    // The way out that must not be taken.
    await client.host.ip('route', 'add', 'default', 'via', '192.168.7.1');
    await client.host.ip('route', 'add', 'default', 'via', '2001:db8:7::1');
    await gateway.start(
      '[[network]]\nprefix = "0.0.0.0/0"\n[[network]]\nprefix = "::/0"\n' +
        '[[import]]\nwithin = "10.77.0.0/16"\nfrom = "any"\n',
    );
    watch = new Program(gateway.host, WATCH, 'eth0', '7077');
    heard = new Program(gateway.host, '-e', LISTEN);
    await until('the wire is watched', () => Promise.resolve(watch.said.includes('watching')));
    talk = new Program(client.host, '-e', TALK);
    await until('the packets are seen on the wire', () =>
      Promise.resolve(['IPv4', 'IPv6'].every((family) => watch.said.includes(`in the clear: ${family}`))),
    );
    await client.start(CONFIG);
    await client.reaches('gateway');
    await flows();
    untouched = await all(client.host);
    watch.said = '';
  });
  afterEach(() => assert.equal(watch.said, ''));
  after(async () => {
    await Promise.all([talk?.close(), heard?.close(), watch?.close()]);
    await Promise.all([client?.close(), gateway?.close()]);
  });

  it('gets back a rule that somebody deletes', async () => {
    await client.host.ip('rule', 'delete', 'priority', '32079');
    assert.match(await mended(), /removed the IPv4 rule 32079: put back$/);
  });

  it('is told who did it, where that runs yet', async () => {
    const command = '(echo "rule delete priority 32079"; sleep 2) | ip -batch -';
    const changing = client.host.run(['sh', '-c', command]);
    assert.match(await mended(), /^ip \(process \d+\) removed the IPv4 rule 32079: put back$/);
    await changing;
  });

  it('gets back its rules when somebody flushes all, and is told of those that are not ours', async () => {
    await client.host.ip('rule', 'flush');
    await client.host.ip('-6', 'rule', 'flush');
    await until('our rules are there', async () => (await client.host.ip('-6', 'rule', 'list')).includes('32079'));
    await flows();
    assert.match(await news(), /no IPv4 rule for its main table any more.*"ip -4 rule add priority 32766 table main"/);
    for (const family of ['-4', '-6'])
      await client.host.ip(family, 'rule', 'add', 'priority', '32766', 'table', 'main');
    await client.host.ip('rule', 'add', 'priority', '32767', 'table', 'default');
    await mended();
  });

  it('gets back the routes of its table', async () => {
    await client.host.ip('route', 'flush', 'table', '7077');
    await client.host.ip('-6', 'route', 'flush', 'table', '7077');
    assert.match(await mended(), /removed the route to .* in table 7077.*: put back/);
  });

  it('gets back addresses and routes of an interface that was switched off and on', async () => {
    await client.host.ip('link', 'set', 'wm0', 'down');
    await client.host.ip('link', 'set', 'wm0', 'up');
    assert.match(await mended(), /switched wm0 off/);
  });

  it('has its interface switched on again', async () => {
    await client.host.ip('link', 'set', 'wm0', 'down');
    assert.match(await mended(), /switched wm0 off: put back, with its addresses and routes/);
    assert.match(client.log, /wm0 is down: nothing goes through the mesh/);
    assert.equal((await client.status())?.host.interfaceUp, true);
  });

  it('has IPv6 switched on again on its interface', async () => {
    await client.host.run(['sysctl', '-q', 'net.ipv6.conf.wm0.disable_ipv6=1']);
    assert.match(await mended(), /switched IPv6 off on wm0: put back/);
    await client.host.run(['sysctl', '-q', 'net.ipv6.conf.wm0.disable_ipv6=1', 'net.ipv6.conf.wm0.disable_ipv6=0']);
    await mended();
  });

  it('gets back its MTU where it was too small for IPv6, and no link-local address besides', async () => {
    await client.host.ip('link', 'set', 'wm0', 'mtu', '1000');
    assert.match(await mended(), /set the MTU of wm0 to 1000, with which it carries no IPv6: put back/);
    await client.host.ip('link', 'set', 'wm0', 'mtu', '1000');
    await client.host.ip('link', 'set', 'wm0', 'mtu', '1420');
    await mended();
  });

  it('gets back addresses, and the mesh route in the main table', async () => {
    await client.host.ip('address', 'flush', 'dev', 'wm0');
    await client.host.ip('-6', 'route', 'delete', 'fd77::/16', 'dev', 'wm0', 'table', 'main');
    assert.match(await mended(), /removed the address/);
  });

  it('gets back the name of its interface', async () => {
    await client.host.ip('link', 'set', 'wm0', 'name', 'other0');
    assert.match(await mended(), /renamed wm0 to other0: put back/);
  });

  it('gets back what systemd-networkd takes away when it starts, and nothing of others is touched', async () => {
    await client.host.ip('rule', 'add', 'priority', '5000', 'to', '203.0.113.0/24', 'table', '99');
    untouched = await all(client.host);
    // What it does to rules and routes that are not of its configuration, except those of the kernel.
    for (const family of ['-4', '-6']) {
      await client.host.ip(family, 'rule', 'flush', 'protocol', '77');
      await client.host.ip(family, 'route', 'flush', 'table', 'all', 'dev', 'wm0', 'protocol', '77');
    }
    await client.host.ip('-6', 'route', 'flush', 'table', 'main', 'dev', 'wm0', 'protocol', 'boot');
    // One line names four things at most; how many are seen together depends on how fast they go.
    assert.match(await mended(), /removed .*(rule 32079|and \d+ more): put back/);
    await client.host.ip('rule', 'delete', 'priority', '5000');
    untouched = untouched.replace(/^5000:.*\n/m, '');
    await mended();
  });

  it('lets nothing out when its firewall, rules, routes and interface go, and the daemon cannot do a thing', async () => {
    const commands = [
      ...['nft flush ruleset', 'ip rule flush protocol 77', 'ip -6 rule flush protocol 77'],
      ...['ip route flush table 7077', 'ip -6 route flush table 7077'],
    ];
    client.pause();
    for (const command of commands) await client.host.run(command.split(' '));
    await saysMore(talk);
    await client.host.ip('link', 'set', 'wm0', 'down');
    await saysMore(talk);
    client.resume();
    await mended();
  });

  it('lets nothing out while the daemon is killed, and the next one finds what is left', async () => {
    await client.stop('SIGKILL');
    await client.start(CONFIG);
    await mended();
  });

  it('leaves nothing behind at an orderly end', async () => {
    await talk.close();
    await client.stop();
    assert.doesNotMatch(await client.host.ip('rule', 'list'), /77/);
    assert.doesNotMatch(await client.host.ip('-6', 'rule', 'list'), /77/);
    assert.doesNotMatch(await client.host.ip('route', 'list', 'table', 'all'), /wm0|7077/);
    assert.equal(await client.host.run(['nft', 'list', 'tables']), '');
  });
});
