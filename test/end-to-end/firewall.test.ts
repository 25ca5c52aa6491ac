/**
 * What belongs to the mesh comes in and goes out by the mesh's interface or not at all, whatever a stranger on the link
 * does. Needs root, /dev/net/tun, iproute2 and nft.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { WIREMESH } from '../../lab/daemons.ts';
import { end, Host, until, wire } from '../interop/hosts.ts';
import { routerAdvertisement, udpDatagram } from './forged-packets.ts';
import { MeshHost } from './mesh-host.ts';

const SENDER = fileURLToPath(new URL('../interop/raw-sender.js', import.meta.url));
const PORT = 9999;
/** Prints each datagram that comes to the port, by whatever interface. */
const LISTEN = `
  const socket = require('dgram').createSocket({ type: 'udp6' });
  socket.on('message', (message) => console.log(message.toString()));
  socket.bind(${PORT}, '::', () => console.log('listening'));`;
const SEND = `
  const [to, text] = process.argv.slice(1);
  const socket = require('dgram').createSocket(to.includes(':') ? 'udp6' : 'udp4');
  socket.send(text, ${PORT}, to, (error) => { console.log(error ? error.code : 'sent'); socket.close(); });`;

class Listener {
  readonly #child: ChildProcess;
  heard = '';

  static async on(host: Host): Promise<Listener> {
    const listener = new Listener(host);
    await listener.hears('listening');
    return listener;
  }

  private constructor(host: Host) {
    this.#child = host.start([process.execPath, '-e', LISTEN]);
    this.#child.stdout?.on('data', (text: Buffer) => (this.heard += text.toString()));
  }

  hears(text: string): Promise<void> {
    return until(`"${text}" is heard`, () => Promise.resolve(this.heard.includes(text)));
  }

  close(): Promise<void> {
    return end(this.#child);
  }
}

function send(from: Host, to: string, text: string): Promise<string> {
  return from.run([process.execPath, '-e', SEND, to, text]);
}

describe('two pinned nodes, and a stranger on their link', () => {
  let middle: Host;
  let stranger: Host;
  let victim: MeshHost;
  let friend: MeshHost;
  let linkLocal: Record<'victim' | 'stranger', string>;

  const linkLocalOf = async (host: Host): Promise<string> =>
    /inet6 (fe80::[0-9a-f:]+)/.exec(await host.ip('-6', 'address', 'show', 'dev', 'eth0'))?.[1] ?? '';
  const indexOf = async (host: Host): Promise<string> =>
    /^(\d+):/.exec(await host.ip('link', 'show', 'eth0'))?.[1] ?? '';
  const forge = async (count: number, packet: string): Promise<string> =>
    stranger.run([process.execPath, SENDER, `${count}`, await indexOf(stranger), packet]);
  const pins = async (): Promise<string> => {
    const ids = await Promise.all([victim.nodeId(), friend.nodeId()]);
    return `trust = "pinned"\npin = ${JSON.stringify(ids)}\n`;
  };
  const tables = (): Promise<string> => victim.host.run(['nft', 'list', 'tables']);

  before(async () => {
    middle = await Host.create('middle');
    stranger = await Host.create('stranger');
    victim = await MeshHost.create('victim');
    friend = await MeshHost.create('friend');
    await middle.ip('link', 'add', 'br0', 'type', 'bridge');
    await middle.ip('link', 'set', 'br0', 'up');
    const hosts = [victim.host, friend.host, stranger];
    for (const [i, host] of hosts.entries()) {
      await wire([host, 'eth0'], [middle, `port${i}`]);
      await host.ip('address', 'add', `192.168.7.${i + 1}/24`, 'dev', 'eth0');
      await host.ip('link', 'set', 'eth0', 'up');
      await middle.ip('link', 'set', `port${i}`, 'master', 'br0', 'up');
    }
    await friend.start();
    await victim.start();
    const config = await pins();
    await Promise.all([friend.stop(), victim.stop()]);
    await Promise.all([friend.start(config), victim.start(config)]);
    await Promise.all([victim.reaches('friend'), friend.reaches('victim')]);
    await until('the links have addresses', async () => (await linkLocalOf(stranger)) !== '');
    linkLocal = { victim: await linkLocalOf(victim.host), stranger: await linkLocalOf(stranger) };
    await stranger.ip('-6', 'route', 'add', 'fd77::/16', 'via', linkLocal.victim, 'dev', 'eth0');
  });
  after(async () => {
    await Promise.all([victim?.close(), friend?.close()]);
    await Promise.all([stranger?.close(), middle?.close()]);
  });

  it('let no packet in that the stranger sends with the address of one to the other', async () => {
    const listener = await Listener.on(victim.host);
    const [from, to] = [await friend.address(), await victim.address()];
    const packet = udpDatagram({ from, to, port: PORT }, Buffer.from('forged'));
    assert.equal(await forge(100, packet), '100 sent\n');
    assert.equal(await send(friend.host, to, 'true'), 'sent\n');
    await listener.hears('true');
    assert.doesNotMatch(listener.heard, /forged/);
    await listener.close();
  });

  it('let none in while a daemon that was killed is away, nor while it comes back', async () => {
    const listener = await Listener.on(victim.host);
    const [from, to] = [await friend.address(), await victim.address()];
    // A host that is to take the packet for its own needs the address, which goes with the interface.
    await victim.stop('SIGKILL');
    await victim.host.ip('address', 'add', `${to}/128`, 'dev', 'lo');
    const packet = udpDatagram({ from, to, port: PORT }, Buffer.from('forged'));
    const forging = forge(3000, packet);
    await victim.host.ip('address', 'delete', `${to}/128`, 'dev', 'lo');
    await victim.start(await pins());
    assert.equal(await forging, '3000 sent\n');
    await victim.reaches('friend');
    assert.equal(await send(friend.host, to, 'true'), 'sent\n');
    await listener.hears('true');
    assert.doesNotMatch(listener.heard, /forged/);
    await listener.close();
  });

  it('go on talking through the tunnel when a router advertisement says that the address is on the link', async () => {
    const address = await friend.address();
    await stranger.ip('address', 'add', `${address}/128`, 'dev', 'eth0', 'nodad');
    const atStranger = await Listener.on(stranger);
    const atFriend = await Listener.on(friend.host);
    await forge(
      3,
      routerAdvertisement({ from: linkLocal.stranger, to: linkLocal.victim, prefix: address, length: 128 }),
    );
    await until('the victim has believed it', async () =>
      (await victim.host.ip('-6', 'route', 'show', 'dev', 'eth0')).includes(address),
    );
    assert.equal(await send(victim.host, address, 'password: hunter2'), 'sent\n');
    await atFriend.hears('hunter2');

    // Without the daemon there is no tunnel: then nothing is sent.
    await victim.stop('SIGKILL');
    assert.notEqual(await send(victim.host, address, 'hunter3'), 'sent\n');
    assert.doesNotMatch(atStranger.heard, /hunter/);
    await Promise.all([atStranger.close(), atFriend.close()]);
    await stranger.ip('address', 'delete', `${address}/128`, 'dev', 'eth0');
  });

  it('keep what a default route of the mesh is for from a more specific route, before, during and after', async () => {
    const outside = '198.51.100.1';
    await stranger.ip('address', 'add', `${outside}/32`, 'dev', 'lo');
    await victim.host.ip('route', 'add', '0.0.0.0/1', 'via', '192.168.7.3');
    await victim.host.ip('route', 'add', '128.0.0.0/1', 'via', '192.168.7.3');
    const atStranger = await Listener.on(stranger);
    const config = `${await pins()}address = ["10.77.0.1/32"]\n[[import]]\nprefix = "0.0.0.0/0"\nfrom = "any"\n`;
    await victim.start(config);
    // The friend leads nowhere: there is no gateway, and there shall be no other way.
    assert.notEqual(await send(victim.host, outside, 'leak'), 'sent\n');
    assert.equal(await send(victim.host, '192.168.7.3', 'neighbour'), 'sent\n');
    await atStranger.hears('neighbour');

    await victim.host.run(['nft', 'flush', 'ruleset']);
    await until('the tables are put back', async () => (await tables()).includes('wiremesh-wm0'));
    assert.notEqual(await send(victim.host, outside, 'leak'), 'sent\n');

    await victim.stop('SIGKILL');
    assert.notEqual(await send(victim.host, outside, 'leak'), 'sent\n');
    assert.doesNotMatch(atStranger.heard, /leak/);

    assert.match(
      await victim.host.run([process.execPath, WIREMESH, 'down']),
      /the firewall that one left for wm0 is removed/,
    );
    assert.equal(await tables(), '');
    assert.equal(await send(victim.host, outside, 'open again'), 'sent\n');
    await atStranger.hears('open again');
    await atStranger.close();
  });

  it('leave no table behind when they are told to end', async () => {
    await victim.start();
    assert.match(await tables(), /table ip6 wiremesh-wm0/);
    await victim.stop();
    assert.equal(await tables(), '');
  });
});
