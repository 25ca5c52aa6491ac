import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { runIpBatch } from './ip-batch.ts';
import { setUp } from './link.ts';
import { listLinks } from './link-monitor.ts';
import { NativeBuffer } from './native-buffer.ts';
import { createNamespace, deleteNamespace, inNamespace, namespacePath } from './netns.ts';
import { PacketSocket } from './packet-socket.ts';
import { Tap } from './tap.ts';

const NAMESPACE = `wmlinux-tap-${process.pid}`;
/** To everybody, of a type that nobody knows. */
const FRAME = [...new Array<number>(6).fill(0xff), 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 1, 2, 3];

describe('a TAP device', () => {
  before(() => createNamespace(NAMESPACE));
  after(() => deleteNamespace(NAMESPACE));

  it('hands frames to its host and back, has a carrier as it is told, and goes when it is closed', async () => {
    const links = () => inNamespace(namespacePath(NAMESPACE), listLinks);
    const tap = inNamespace(namespacePath(NAMESPACE), () => new Tap('cable'));
    const buffer = new NativeBuffer(2000);
    buffer.bytes.set(FRAME);
    assert.equal(tap.write(buffer, FRAME.length), false, 'it is not up yet');
    await runIpBatch(['link set dev cable addrgenmode none', setUp('cable')], { namespace: NAMESPACE });
    const link = links().find(({ name }) => name === 'cable');
    const capture = inNamespace(namespacePath(NAMESPACE), () => new PacketSocket(link));
    assert.equal(tap.write(buffer, FRAME.length), true);
    assert.equal(capture.read(buffer), FRAME.length);
    assert.deepEqual([...buffer.bytes.subarray(0, FRAME.length)], FRAME);

    for (const plugged of [false, true]) {
      tap.setCarrier(plugged);
      // The kernel tells of carriers a moment later, and again no sooner than a second after.
      const deadline = performance.now() + 10_000;
      const isRunning = () => links().find(({ name }) => name === 'cable')?.running;
      while (isRunning() !== plugged && performance.now() < deadline) await delay(10);
      assert.equal(isRunning(), plugged);
    }

    tap.close();
    tap.close();
    assert.equal(tap.fd, -1);
    assert.equal(
      links().find(({ name }) => name === 'cable'),
      undefined,
    );
    capture.close();
  });
});
