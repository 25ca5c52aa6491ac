import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Epoll, EPOLLIN, EPOLLOUT } from './epoll.ts';
import { EventFd } from './eventfd.ts';

describe('an epoll set', () => {
  it('tells which descriptors are ready by their keys, until they are drained', () => {
    const epoll = new Epoll();
    const a = new EventFd();
    const b = new EventFd();
    epoll.add(a.fd, 7);
    epoll.add(b.fd, 0xffff_fffe);
    assert.equal(epoll.wait(0), 0);
    b.signal();
    b.signal();
    assert.equal(epoll.wait(-1), 1);
    assert.equal(epoll.key(0), 0xffff_fffe);
    assert.equal(epoll.events(0), EPOLLIN);
    b.drain();
    assert.equal(epoll.wait(0), 0);
    epoll.modify(a.fd, 8, EPOLLOUT);
    assert.equal(epoll.wait(0), 1);
    assert.equal(epoll.key(0), 8);
    epoll.remove(a.fd);
    assert.equal(epoll.wait(0), 0);
    for (const each of [a, b, epoll]) each.close();
    epoll.close();
  });
});

describe('an eventfd', () => {
  it('wakes a thread that blocks in epoll_wait', async () => {
    const wakeUp = new EventFd();
    const source = `
      const { workerData, parentPort } = require('node:worker_threads');
      Promise.all([import(workerData.epoll), import(workerData.eventfd)]).then(([{ Epoll }, { EventFd }]) => {
        const wakeUp = EventFd.of(workerData.fd);
        const epoll = new Epoll();
        epoll.add(wakeUp.fd, 1);
        parentPort.postMessage('waiting');
        const ready = epoll.wait(-1);
        wakeUp.drain();
        epoll.close();
        wakeUp.close();
        parentPort.postMessage(ready);
      });`;
    const modules = {
      epoll: new URL('./epoll.js', import.meta.url).href,
      eventfd: new URL('./eventfd.js', import.meta.url).href,
    };
    const worker = new Worker(source, { eval: true, workerData: { ...modules, fd: wakeUp.fd } });
    const ready = await new Promise((resolve) => {
      worker.on('message', (message) => {
        if (message === 'waiting') wakeUp.signal();
        else resolve(message);
      });
    });
    assert.equal(ready, 1);
    await worker.terminate();
    // The thread closed its end of what it had borrowed: ours still works.
    wakeUp.signal();
    wakeUp.drain();
    wakeUp.close();
    wakeUp.close();
  });
});
