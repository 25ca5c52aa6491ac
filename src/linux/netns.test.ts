import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { listLinks } from './link-monitor.ts';
import {
  createNamespace,
  deleteNamespace,
  inNamespace,
  listNamespaces,
  NamespaceNameError,
  namespacePath,
} from './netns.ts';
import { SystemCallError } from './syscall.ts';

const own = () => readlinkSync('/proc/thread-self/ns/net');

describe('a network namespace', () => {
  it('is created, listed, entered for a moment, and deleted', async () => {
    const before = own();
    await createNamespace('wmlinux-ns');
    assert.ok((await listNamespaces()).includes('wmlinux-ns'));
    assert.notEqual(inNamespace(namespacePath('wmlinux-ns'), own), before);
    assert.deepEqual(
      inNamespace(namespacePath('wmlinux-ns'), listLinks).map(({ name }) => name),
      ['lo'],
    );
    assert.equal(own(), before);
    await deleteNamespace('wmlinux-ns');
    assert.ok(!(await listNamespaces()).includes('wmlinux-ns'));
  });

  it('is left again when what was done in it fails', async () => {
    const before = own();
    await createNamespace('wmlinux-ns');
    const fail = () => {
      throw new RangeError('on purpose');
    };
    assert.throws(() => inNamespace(namespacePath('wmlinux-ns'), fail), RangeError);
    assert.equal(own(), before);
    await deleteNamespace('wmlinux-ns');
    assert.throws(() => inNamespace(namespacePath('wmlinux-ns'), own), SystemCallError);
    assert.equal(own(), before);
  });

  it('is entered by one thread and not by the others', async () => {
    const before = own();
    const source = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(workerData).then(({ enterNewNamespace }) => {
        enterNewNamespace();
        parentPort.postMessage(require('node:fs').readlinkSync('/proc/thread-self/ns/net'));
      });`;
    const worker = new Worker(source, { eval: true, workerData: new URL('./netns.js', import.meta.url).href });
    const inWorker = await new Promise((resolve) => worker.once('message', resolve));
    assert.notEqual(inWorker, before);
    assert.equal(own(), before);
  });

  it('has a name that is a file name and nothing else', () => {
    for (const name of ['', '..', 'a/b', '-n', 'a b', 'a\n'])
      assert.throws(() => namespacePath(name), NamespaceNameError);
  });
});
