import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WiremeshError } from '../error.ts';
import type { DeviceChange, DeviceState, PeerState } from '../wireguard/index.ts';
import { UapiInUseError, UapiSocket, type ConfigurableDevice } from './uapi-socket.ts';

class PortTakenError extends WiremeshError {
  readonly code = 'PORT_IN_USE';
}

const PEER: PeerState = {
  publicKey: new Uint8Array(32),
  presharedKey: undefined,
  endpoint: undefined,
  lastHandshakeAt: undefined,
  txBytes: 0,
  rxBytes: 0,
  persistentKeepalive: 0,
  allowedIps: [],
};

class FakeDevice implements ConfigurableDevice {
  readonly changes: DeviceChange[] = [];
  refuse: Error | undefined;
  peerCount = 0;
  stateCount = 0;

  async configure(change: DeviceChange): Promise<void> {
    if (this.refuse !== undefined) throw this.refuse;
    this.changes.push(change);
  }

  async state(): Promise<DeviceState> {
    this.stateCount++;
    const peers = new Array<PeerState>(this.peerCount).fill(PEER);
    return { privateKey: undefined, publicKey: undefined, listenPort: 7, fwmark: 0, peers };
  }
}

/** Says `text` and reads until the answer's blank line has come `answers` times. */
async function say(socket: Socket, text: string, answers = 1): Promise<string> {
  let heard = '';
  const complete = new Promise<void>((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.split('errno=').length > answers && heard.endsWith('\n\n')) resolve();
    });
    socket.once('close', () => reject(new Error(`closed after ${JSON.stringify(heard)}`)));
  });
  socket.write(text);
  await complete;
  socket.removeAllListeners('data');
  return heard;
}

/** Says `text`, closes its own side, and reads to the end. */
async function hear(socket: Socket, text: string): Promise<string> {
  if (!socket.writableEnded) socket.end(text);
  // A server that hangs up on what it has not read resets the connection, behind its answer; `once` would reject.
  socket.on('error', () => {});
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()));
  await new Promise((resolve) => socket.once('close', resolve));
  return heard;
}

describe('the UAPI socket', () => {
  let folder: string;
  let path: string;
  let device: FakeDevice;
  let uapi: UapiSocket;
  const connect = (): Socket => createConnection(path);

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'wiremesh-uapi-'));
    path = join(folder, 'wg0.sock');
    device = new FakeDevice();
    uapi = await UapiSocket.listen(path, device, () => undefined);
  });
  afterEach(async () => {
    await uapi.close();
    rmSync(folder, { recursive: true });
  });

  it('answers get and set, several on one connection', async () => {
    const socket = connect();
    assert.equal(await say(socket, 'get=1\n\nset=1\nlisten_port=9\n\n', 2), 'listen_port=7\nerrno=0\n\nerrno=0\n\n');
    assert.deepEqual(device.changes, [{ listenPort: 9 }]);
    socket.destroy();
  });

  it('waits for the rest of an operation that comes in pieces', async () => {
    const socket = connect();
    await once(socket, 'connect');
    for (const piece of ['se', 't=1\nlisten_', 'port=9']) socket.write(piece);
    assert.equal(await say(socket, '\n\n'), 'errno=0\n\n');
    assert.deepEqual(device.changes, [{ listenPort: 9 }]);
    socket.destroy();
  });

  it('says EINVAL to a line that is none, changes nothing, and takes the next operation', async () => {
    const socket = connect();
    const answer = await say(socket, 'set=1\nlisten_port=9\nfoo=1\nlisten_port=10\n\nset=1\nfwmark=3\n\n', 2);
    assert.equal(answer, 'errno=-22\n\nerrno=0\n\n');
    assert.deepEqual(device.changes, [{ fwmark: 3 }]);
    socket.destroy();
  });

  it('says EADDRINUSE where the port is taken', async () => {
    device.refuse = new PortTakenError('taken');
    const socket = connect();
    assert.equal(await say(socket, 'set=1\nlisten_port=9\n\n'), 'errno=-98\n\n');
    socket.destroy();
  });

  it('hangs up on whoever speaks another protocol or never ends a line', async () => {
    for (const [text, answer] of [
      ['GET / HTTP/1.1\r\n\r\n', ''],
      ['x'.repeat(100_000), 'errno=-5\n\n'],
      ['get=1\nset=1\n\n', 'errno=-22\n\n'],
    ]) {
      assert.equal(await hear(connect(), text), answer);
    }
    assert.match(await hear(connect(), 'get=1\n\n'), /errno=0/);
  });

  it('answers a client that has closed its side behind its operation', async () => {
    const socket = connect();
    socket.end('get=1\n\n');
    assert.equal(await hear(socket, ''), 'listen_port=7\nerrno=0\n\n');
  });

  it('says EPROTO to a line that is no assignment', async () => {
    assert.equal(await hear(connect(), 'set=1\nlisten_port\n\n'), 'errno=-71\n\n');
  });

  it('carries nothing out of an operation whose client goes away in the middle', async () => {
    const socket = connect();
    socket.end('set=1\nlisten_port=9\n');
    assert.equal(await hear(socket, ''), '');
    assert.deepEqual(device.changes, []);
  });

  it('says EMSGSIZE to an operation that never comes to its end, and keeps none of it', async () => {
    const socket = connect();
    socket.write('set=1\n');
    for (let i = 0; i < 101; i++) {
      if (!socket.write('fwmark=1\n'.repeat(10_000))) await once(socket, 'drain');
    }
    assert.equal(await say(socket, '\n'), 'errno=-90\n\n');
    assert.deepEqual(device.changes, []);
    socket.destroy();
  });

  it('cuts a client off that asks and does not read', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    device.peerCount = 20_000;
    const socket = connect();
    const closed = once(socket, 'close');
    socket.pause();
    socket.write('get=1\n\n');
    while (device.stateCount === 0) await new Promise((resolve) => setImmediate(resolve));
    // The answer is being written one turn after the state was given.
    await new Promise((resolve) => setImmediate(resolve));
    context.mock.timers.tick(60_000);
    socket.resume();
    await closed;
    assert.equal(device.stateCount, 1);
  });

  it('is for its owner alone, and gone when it is closed', async () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await uapi.close();
    assert.equal(existsSync(path), false);
  });

  it('tells its owner when somebody deletes it', async () => {
    const removed = new Promise<void>((resolve) => (uapi.onRemoved = resolve));
    rmSync(path);
    await removed;
  });

  it('is not taken from a process that serves it', async () => {
    await assert.rejects(
      UapiSocket.listen(path, device, () => undefined),
      UapiInUseError,
    );
  });

  it('replaces what a dead process left', async () => {
    const left = join(folder, 'left.sock');
    writeFileSync(left, '');
    const second = await UapiSocket.listen(left, device, () => undefined);
    await second.close();
  });
});
