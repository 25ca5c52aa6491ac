import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { formatAddress, parseAddress } from '../inet/index.ts';
import { IcmpSocket } from './icmp-socket.ts';
import { runIpBatch } from './ip-batch.ts';
import { addAddress, addVethPair, setUp } from './link.ts';
import { listLinks } from './link-monitor.ts';
import { NativeBuffer } from './native-buffer.ts';
import { createNamespace, deleteNamespace, inNamespace, namespacePath } from './netns.ts';
import { PacketSocket } from './packet-socket.ts';
import { errnoName, watchReadable } from './syscall.ts';

const A = 'wmlinux-ping-a';
const B = 'wmlinux-ping-b';
const [addressA, addressB, nowhere] = ['fd00::a', 'fd00::b', '2001:db8::1'].map((text) => parseAddress(text)!);
const [addressA4, addressB4] = ['10.9.0.1', '10.9.0.2'].map((text) => parseAddress(text)!);
const PAYLOAD = new TextEncoder().encode('a payload that can be found again');

async function readable(fd: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const watch = watchReadable(fd, () => {
      watch.close();
      resolve();
    });
  });
}

describe('between two namespaces', () => {
  before(async () => {
    await Promise.all([createNamespace(A), createNamespace(B)]);
    await runIpBatch(
      [addVethPair({ link: 'a' }, { link: 'b', namespace: B }), setUp('a'), addAddress('a', addressA, 64)],
      {
        namespace: A,
      },
    );
    await runIpBatch([setUp('b'), addAddress('b', addressB, 64)], { namespace: B });
  });
  after(() => Promise.all([deleteNamespace(A), deleteNamespace(B)]));

  it('a ping is answered, and a capture sees it both ways', async () => {
    const socket = inNamespace(namespacePath(A), () => new IcmpSocket());
    const capture = inNamespace(namespacePath(B), () => new PacketSocket(listLinks().find(({ name }) => name === 'b')));
    assert.equal(socket.sendEcho(addressB, 0x1234, 0xfffe, PAYLOAD), 0);
    await readable(socket.fd);
    const reply = socket.receive();
    assert.ok(reply);
    assert.equal(formatAddress(reply.from), 'fd00::b');
    assert.deepEqual([reply.identifier, reply.sequence, reply.payload], [0x1234, 0xfffe, PAYLOAD]);
    assert.equal(socket.receive(), undefined);

    const frame = new NativeBuffer(2000);
    const seen: [string, boolean][] = [];
    for (let length = capture.read(frame); length > 0; length = capture.read(frame)) {
      const holdsPayload = Buffer.from(frame.bytes.subarray(0, length)).includes(Buffer.from(PAYLOAD));
      if (holdsPayload) seen.push([capture.packetType, capture.interfaceIndex > 1]);
    }
    assert.deepEqual(seen, [
      ['host', true],
      ['outgoing', true],
    ]);
    for (const each of [socket, capture]) {
      each.close();
      each.close();
      assert.equal(each.fd, -1);
    }
  });

  it('a capture on one interface sees no frame of another', async () => {
    const socket = inNamespace(namespacePath(A), () => new IcmpSocket());
    const all = inNamespace(namespacePath(A), () => new PacketSocket());
    const loopback = inNamespace(namespacePath(A), () => new PacketSocket({ index: 1, name: 'lo' }));
    socket.sendEcho(addressB, 1, 1, PAYLOAD);
    await readable(socket.fd);
    const frame = new NativeBuffer(2000);
    assert.ok(all.read(frame) > 0);
    assert.equal(loopback.read(frame), 0);
    for (const each of [socket, all, loopback]) each.close();
  });

  it('a ping over IPv4 is answered as well, and a reply that nobody asked for is not', async () => {
    await runIpBatch([addAddress('a', addressA4, 24)], { namespace: A });
    await runIpBatch([addAddress('b', addressB4, 24)], { namespace: B });
    const socket = inNamespace(namespacePath(A), () => new IcmpSocket(4));
    const capture = inNamespace(namespacePath(B), () => new PacketSocket(listLinks().find(({ name }) => name === 'b')));
    // Of two that are sent in this order, only the second comes back.
    assert.equal(socket.sendUnasked(addressB4, new Uint8Array(5)), 0);
    assert.equal(socket.sendEcho(addressB4, 0x1234, 7, PAYLOAD), 0);
    await readable(socket.fd);
    const reply = socket.receive();
    assert.ok(reply);
    assert.deepEqual([formatAddress(reply.from), reply.sequence, reply.payload], ['10.9.0.2', 7, PAYLOAD]);
    assert.equal(socket.receive(), undefined);
    assert.equal(capture.takeLost(), 0);
    for (const each of [socket, capture]) each.close();
  });

  it('a capture says by the clock when a frame was seen, and how many it had no room for', async () => {
    const socket = inNamespace(namespacePath(A), () => new IcmpSocket());
    const capture = inNamespace(namespacePath(B), () => new PacketSocket(listLinks().find(({ name }) => name === 'b')));
    assert.equal(capture.timestamp, 0n);
    const before = BigInt(Date.now()) * 1_000_000n;
    socket.sendEcho(addressB, 1, 1, PAYLOAD);
    await readable(socket.fd);
    const frame = new NativeBuffer(2000);
    assert.ok(capture.read(frame) > 0);
    assert.ok(capture.hasEthernetHeader);
    assert.ok(capture.timestamp >= before && capture.timestamp <= BigInt(Date.now() + 1) * 1_000_000n);
    capture.setReceiveBuffer(4096);
    for (let i = 0; i < 50; i++) socket.sendEcho(addressB, 1, 2, new Uint8Array(1000));
    assert.ok(capture.takeLost() > 0);
    assert.equal(capture.takeLost(), 0);
    for (const each of [socket, capture]) each.close();
  });

  it('a ping to where no route leads answers the error', () => {
    const socket = inNamespace(namespacePath(A), () => new IcmpSocket());
    assert.equal(errnoName(socket.sendEcho(nowhere, 1, 1, PAYLOAD)), 'ENETUNREACH');
    socket.close();
  });
});
