/**
 * The mesh's messages inside the tunnel are the node's own: a gateway forwards for its LAN, and a machine there, or a
 * user without rights on the gateway itself, tries to speak for it. With the firewall table, which keeps the machine's
 * packets out, and without it. Needs root, iproute2 and setpriv.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, before, beforeEach, describe, it } from 'node:test';
import { identityPrimitives } from '../../src/crypto/node.ts';
import { TUNNEL_PORT } from '../../src/device/index.ts';
import { meshTag, writeMessage } from '../../src/mesh/index.ts';
import { end, Host, until, wire } from '../interop/hosts.ts';
import { MeshHost } from './mesh-host.ts';

const LEAVE = Buffer.from(writeMessage({ kind: 'leave' }, meshTag('wiremesh', identityPrimitives)));
const NOBODY = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--bounding-set', '-all'];
const STRANGERS_PORT = 9_999;

/** Sends the message in `payload`, in hexadecimal, `count` times, and ends. */
const SEND = `
  const [source, sourcePort, destination, port, payload, count] = process.argv.slice(1);
  const socket = require('dgram').createSocket({ type: 'udp6', reuseAddr: true });
  socket.bind(Number(sourcePort), source, () => {
    let left = Number(count);
    const send = () => left-- > 0 ? socket.send(Buffer.from(payload, 'hex'), Number(port), destination, send) : socket.close();
    send();
  });`;
/** Prints each datagram that comes to the port. */
const LISTEN = `
  const socket = require('dgram').createSocket({ type: 'udp6', reuseAddr: true });
  socket.on('message', (message) => console.log(message.toString('hex')));
  socket.on('error', (error) => { console.log(error.code); process.exit(1); });
  socket.bind(Number(process.argv[1]), '::', () => console.log('listening'));`;

/** A program that listens on a port of a host. */
class Listener {
  readonly child: ChildProcess;
  heard = '';

  constructor(host: Host, port: number, as: readonly string[] = []) {
    this.child = host.start([...as, process.execPath, '-e', LISTEN, String(port)]);
    this.child.stdout?.on('data', (text: Buffer) => (this.heard += text.toString()));
  }

  async hears(text: string): Promise<void> {
    await until(`"${text}" is heard`, () => Promise.resolve(this.heard.includes(text)));
  }
}

/** How often a node was seen to say goodbye. */
function goodbyesIn(log: string): number {
  return log.split('has left').length - 1;
}

for (const isBare of [false, true]) {
  const flags = ['--link', 'eth0', ...(isBare ? ['--no-firewall'] : [])];
  describe(`a gateway of a mesh, a client, and a machine on the LAN behind the gateway${isBare ? ', without a firewall' : ''}`, () => {
    let gateway: MeshHost;
    let client: MeshHost;
    let machine: Host;

    before(async () => {
      gateway = await MeshHost.create('gateway');
      client = await MeshHost.create('client');
      machine = await Host.create('machine');
      await wire([gateway.host, 'eth0'], [client.host, 'eth0']);
      await wire([gateway.host, 'lan'], [machine, 'eth0']);
      for (const [host, link] of [
        [gateway.host, 'eth0'],
        [gateway.host, 'lan'],
        [client.host, 'eth0'],
        [machine, 'eth0'],
      ] as const) {
        await host.ip('link', 'set', link, 'up');
      }
      await gateway.host.ip('address', 'add', '2001:db8:1::1/64', 'dev', 'lan', 'nodad');
      await machine.ip('address', 'add', '2001:db8:1::2/64', 'dev', 'eth0', 'nodad');
      await machine.ip('route', 'add', 'fd77::/16', 'via', '2001:db8:1::1');
      await gateway.host.run(['sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1']);
      await Promise.all([gateway.start('', ...flags), client.start('', ...flags)]);
      await haveTunnel();
      await machine.ip('address', 'add', `${await gateway.address()}/128`, 'dev', 'lo', 'nodad');
    });
    after(async () => {
      await Promise.all([gateway?.close(), client?.close(), machine?.close()]);
    });

    beforeEach(() => {
      client.log = '';
    });

    const haveTunnel = () =>
      until('the two have a tunnel', async () => (await gateway.hasTunnels(1)) && client.hasTunnels(1), 30_000);

    const send = async (
      from: Host,
      payload: Buffer,
      options: { sourcePort?: number; count?: number; as?: readonly string[]; port?: number } = {},
    ) => {
      const { sourcePort = TUNNEL_PORT, count = 1, as = [], port = TUNNEL_PORT } = options;
      const [source, destination] = [await gateway.address(), await client.address()];
      const parameters = [
        source,
        String(sourcePort),
        destination,
        String(port),
        payload.toString('hex'),
        String(count),
      ];
      return from.attempt([...as, process.execPath, '-e', SEND, ...parameters]);
    };

    /** What the machine has sent so far has been through the gateway, the tunnel and the client. */
    const pass = async () => {
      await machine.run(['ping', '-n', '-c', '1', '-W', '5', '-I', '2001:db8:1::2', '2001:db8:1::1']);
      await gateway.host.run(['ping', '-n', '-c', '1', '-W', '5', await client.address()]);
      for (let i = 0; i < 2; i++) assert.ok(await client.status());
    };

    for (const count of [1, 10, 100]) {
      it(`do not end their session because the machine says ${count} goodbyes from the address of the gateway`, async () => {
        const { exitCode, output } = await send(machine, LEAVE, { count });
        assert.equal(exitCode, 0, output);
        await pass();
        assert.equal(goodbyesIn(client.log), 0, client.log);
        assert.ok(await client.hasTunnels(1));
      });
    }

    it('nor while the client starts again', async () => {
      await client.stop('SIGKILL');
      const starting = client.start('', ...flags);
      let isUp = false;
      const flood = (async () => {
        while (!isUp) await send(machine, LEAVE, { count: 10 });
      })();
      await starting;
      await haveTunnel();
      isUp = true;
      await flood;
      await send(machine, LEAVE, { count: 10 });
      await pass();
      assert.equal(goodbyesIn(client.log), 0, client.log);
    });

    it('do not listen to a user without rights on the gateway, whatever port he sends from', async () => {
      for (const sourcePort of [TUNNEL_PORT, 0, 40_000])
        await send(gateway.host, LEAVE, { sourcePort, count: 10, as: NOBODY });
      // Others than those of the mesh are nobody's business but the user's.
      const listener = new Listener(client.host, STRANGERS_PORT);
      await listener.hears('listening');
      await send(gateway.host, Buffer.from('11', 'hex'), { sourcePort: 40_000, port: STRANGERS_PORT, as: NOBODY });
      await listener.hears('11');
      await end(listener.child);
      await pass();
      assert.equal(goodbyesIn(client.log), 0, client.log);
      assert.ok(await client.hasTunnels(1));
    });

    it('show a user who has taken the port nothing, and start all the same', async () => {
      await client.stop('SIGKILL');
      const listener = new Listener(client.host, TUNNEL_PORT, NOBODY);
      await listener.hears('listening');
      await client.start('', ...flags);
      await haveTunnel();
      await pass();
      // He can have his own datagrams at most.
      assert.equal(listener.heard, 'listening\n');
      await end(listener.child);
    });
  });
}
