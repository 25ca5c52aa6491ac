import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WiremeshError } from '../error.ts';
import type { DeviceChange, DeviceState } from '../wireguard/index.ts';
import { UapiInUseError, UapiSocket, type ConfigurableDevice } from './uapi-socket.ts';

class PortTakenError extends WiremeshError {
  readonly code = 'PORT_IN_USE';
}

class FakeDevice implements ConfigurableDevice {
  readonly changes: DeviceChange[] = [];
  refuse: Error | undefined;

  async configure(change: DeviceChange): Promise<void> {
    if (this.refuse !== undefined) throw this.refuse;
    this.changes.push(change);
  }

  async state(): Promise<DeviceState> {
    return { privateKey: undefined, publicKey: undefined, listenPort: 7, fwmark: 0, peers: [] };
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
    for (const text of ['GET / HTTP/1.1\r\n\r\n', 'x'.repeat(10_000)]) {
      const socket = connect();
      socket.on('error', () => {});
      socket.write(text);
      socket.resume();
      await once(socket, 'close');
    }
    const socket = connect();
    assert.match(await say(socket, 'get=1\n\n'), /errno=0/);
    socket.destroy();
  });

  it('is for its owner alone, and gone when it is closed', async () => {
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await uapi.close();
    assert.equal(existsSync(path), false);
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
