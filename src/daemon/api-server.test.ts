import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { StatusDocument } from '../api/index.ts';
import { serveApi } from './api-server.ts';

const STATUS: StatusDocument = {
  self: {
    nodeId: 'ab'.repeat(28),
    address: 'fd77::1',
    hostName: 'alpha',
    meshName: 'home',
    sequence: 1,
    interface: 'wm0',
    port: 7077,
    wireGuardPublicKey: 'AAAA',
    trust: 'open',
    links: ['eth0'],
    startedAtUnixMs: 0,
  },
  nodes: [],
  bootstraps: [],
  networks: { offered: [], imported: [] },
  host: { interfaceUp: true, changes: [] },
  drops: {},
};

function ask(socketPath: string, method: string, path: string): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve, reject) => {
    const question = request({ socketPath, method, path, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
    });
    question.on('error', reject).end();
  });
}

describe('the API server', () => {
  const directory = mkdtempSync(join(tmpdir(), 'wiremesh-api-'));
  after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'run', 'wm0.sock');
  const target = { status: () => Promise.resolve(STATUS), down: () => Promise.resolve() };

  it('answers on a socket that only its owner may open, and removes it', async () => {
    const server = await serveApi(path, target);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(await ask(path, 'GET', '/v1/status'), { status: 200, body: STATUS });
    await server.close();
    assert.ok(!existsSync(path));
  });

  it('answers "down" once it is done, and before the server closes', async () => {
    const order: string[] = [];
    const server = await serveApi(path, { ...target, down: () => Promise.resolve(void order.push('down')) });
    const answer = await ask(path, 'POST', '/v1/down');
    order.push('answered');
    await server.close();
    assert.deepEqual([answer.status, order], [200, ['down', 'answered']]);
  });

  it('says what it does not know', async () => {
    const server = await serveApi(path, target);
    assert.deepEqual(await ask(path, 'POST', '/v1/status'), {
      status: 404,
      body: { code: 'NOT_FOUND', message: 'no such path: POST /v1/status' },
    });
    await server.close();
  });

  it('does not take the place of a daemon that lives', async () => {
    const server = await serveApi(path, target);
    await assert.rejects(serveApi(path, target), /runs already on .*"wiremesh down"/);
    await server.close();
  });

  it('does not remove a file that is no socket', async () => {
    const file = join(directory, 'precious');
    writeFileSync(file, 'kept');
    await assert.rejects(serveApi(file, target), /is not a socket: choose another/);
    assert.ok(existsSync(file));
  });

  it('takes the place of one that was killed', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    assert.ok(existsSync(path));
    const server = await serveApi(path, target);
    assert.equal((await ask(path, 'GET', '/v1/status')).status, 200);
    await server.close();
  });
});
