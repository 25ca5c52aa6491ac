/** Clients of UAPI that are slow, many, silent, endless or gone, while another one is served. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { after, afterEach, before, describe, it } from 'node:test';
import { end, Host, until } from './hosts.ts';
import { nextInterfaceName, startDevice } from './tunnel.ts';
import { connectUapi, converse } from './uapi-client.ts';

const MIB = 1 << 20;
const NAME = nextInterfaceName();

describe('the UAPI of wireguard-ts', () => {
  let host: Host;
  let child: Awaited<ReturnType<typeof startDevice>>;
  let descriptors: number;
  const open: Socket[] = [];
  const connect = async (): Promise<Socket> => {
    const socket = await connectUapi(NAME);
    open.push(socket);
    return socket;
  };
  const countDescriptors = (): number => readdirSync(`/proc/${child.pid}/fd`).length;
  const memory = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))![1]) / 1024;
  /** Another client gets its answer. How soon is a matter of the machine; that it does not wait for the rest, is not. */
  const assertServed = async (): Promise<void> => {
    const mark = 1 + Math.floor(Math.random() * 1e9);
    assert.equal(await converse(NAME, `set=1\nfwmark=${mark}\n\n`), 'errno=0\n\n');
    assert.match(await converse(NAME, 'get=1\n\n'), new RegExp(`fwmark=${mark}\n`));
  };

  before(async () => {
    host = await Host.create('uapi');
    child = await startDevice(host, NAME, 'wireguard-ts');
    const peers = Array.from({ length: 5000 }, () => `public_key=${randomBytes(32).toString('hex')}\n`);
    assert.equal(await converse(NAME, `set=1\n${peers.join('')}\n`), 'errno=0\n\n');
    descriptors = countDescriptors();
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy();
    await until('all descriptors are closed', async () => countDescriptors() <= descriptors);
  });
  after(async () => {
    await end(child);
    await host.close();
  });

  it('takes an operation byte by byte', async () => {
    const socket = await connect();
    const answered = once(socket, 'data');
    for (const byte of 'set=1\nfwmark=7\n\n') await new Promise((resolve) => socket.write(byte, resolve));
    assert.equal(String((await answered)[0]), 'errno=0\n\n');
  });

  it('serves 200 clients at once, and one more', async () => {
    const sockets = await Promise.all(Array.from({ length: 200 }, connect));
    for (const socket of sockets) socket.write('set=1\nfwm');
    await assertServed();
    const answers = sockets.map((socket) => once(socket, 'data'));
    for (const socket of sockets) socket.write('ark=7\n\n');
    for (const answer of answers) assert.equal(String((await answer)[0]), 'errno=0\n\n');
  });

  it('keeps one answer, not all, for a client that asks and does not read', async () => {
    const before = memory();
    const socket = await connect();
    socket.pause();
    // Answers to these are 1.5 GB. What the daemon does not take in stays here.
    socket.write('get=1\n\n'.repeat(1000));
    await assertServed();
    await assertServed();
    assert.ok(memory() - before < 200, `${memory()} MiB after ${before}`);
  });

  it('takes no more of an endless operation than it may be long', async () => {
    const before = memory();
    const socket = await connect();
    socket.write('set=1\n');
    const chunk = 'fwmark=7\n'.repeat(10_000);
    for (let sent = 0; sent < 32 * MIB; sent += chunk.length) {
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
    await assertServed();
    assert.ok(memory() - before < 200, `${memory()} MiB after ${before}`);
  });

  for (const [what, bytes] of [
    ['an endless line', Buffer.alloc(8 * MIB, 'x')],
    ['an endless line inside an operation', Buffer.concat([Buffer.from('set=1\n'), Buffer.alloc(8 * MIB, 'x')])],
    ['noise', randomBytes(8 * MIB)],
    ['noise inside an operation', Buffer.concat([Buffer.from('set=1\n'), randomBytes(8 * MIB)])],
    ['zeros', Buffer.alloc(8 * MIB)],
  ] as const) {
    it(`ends the conversation at ${what}`, async () => {
      const socket = await connect();
      socket.resume();
      // A reset is an end as well.
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.write(bytes, () => socket.end());
      socket.once('end', () => socket.destroy());
      await closed;
      await assertServed();
    });
  }

  it('does nothing of what a client has begun that goes away', async () => {
    const state = await converse(NAME, 'get=1\n\n');
    for (let i = 0; i < 100; i++) {
      const socket = await connect();
      await new Promise((resolve) => socket.write('set=1\nreplace_peers=true\nlisten_port=7777\n', resolve));
      socket.destroy();
    }
    await until('the daemon has seen them go', async () => countDescriptors() <= descriptors);
    assert.equal(await converse(NAME, 'get=1\n\n'), state);
  });

  it('outlives clients that go away before their answer', async () => {
    for (let i = 0; i < 100; i++) {
      const socket = await connect();
      await new Promise((resolve) => socket.write('get=1\n\n', resolve));
      socket.destroy();
    }
    await assertServed();
  });
});
