import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseAddress, parseEndpoint } from '../inet/index.ts';
import { runIpBatch } from './ip-batch.ts';
import { addAddress, setMtu, setUp } from './link.ts';
import { NativeBuffer } from './native-buffer.ts';
import { createNamespace, deleteNamespace, inNamespace, namespacePath } from './netns.ts';
import { SocketAddress } from './socket-address.ts';
import { openTunQueues, PieceList, TunError, type Tun } from './tun.ts';
import { openUdpSocket, type UdpSocket } from './udp.ts';

const NAMESPACE = 'wmlinux-steer';
const QUEUES = 4;
const PACKET = 10;

/** The queues that UDP packets to port `port` of `address` were found in, in order, with the packets' last bytes. */
function drain(queues: readonly Tun[], protocol: number): { queue: number; port: number; last: number }[] {
  const packet = new NativeBuffer(65_536 + PACKET);
  const found: { queue: number; port: number; last: number }[] = [];
  queues.forEach((tun, queue) => {
    for (let length = tun.read(packet); length > 0; length = tun.read(packet)) {
      const isV4 = packet.bytes[PACKET] >> 4 === 4;
      if (packet.bytes[PACKET + (isV4 ? 9 : 6)] !== protocol) continue;
      const port = packet.view.getUint16(PACKET + (isV4 ? 20 : 40) + 2);
      found.push({ queue, port, last: packet.bytes[length - 1] });
    }
  });
  return found;
}

describe('the queues of a TUN device', () => {
  let queues: readonly Tun[];
  let sockets: { readonly 4: UdpSocket; readonly 6: UdpSocket };

  before(async () => {
    await createNamespace(NAMESPACE);
    queues = inNamespace(namespacePath(NAMESPACE), () => openTunQueues('wm0', QUEUES));
    const addresses = ['10.9.0.1', 'fd00::1'].map((text) => parseAddress(text)!);
    await runIpBatch(
      [addAddress('wm0', addresses[0], 24), addAddress('wm0', addresses[1], 64), setMtu('wm0', 1420), setUp('wm0')],
      { namespace: NAMESPACE },
    );
    sockets = inNamespace(namespacePath(NAMESPACE), () => ({ 4: openUdpSocket(4, 0), 6: openUdpSocket(6, 0) }));
  });
  after(async () => {
    for (const queue of queues) queue.close();
    sockets[4].close();
    sockets[6].close();
    await deleteNamespace(NAMESPACE);
  });

  function send(family: 4 | 6, port: number, last: number, length = 100): void {
    const to = new SocketAddress();
    to.fromEndpoint(parseEndpoint(family === 4 ? `10.9.0.2:${port}` : `[fd00::2]:${port}`)!);
    const payload = new NativeBuffer(length);
    payload.bytes[length - 1] = last;
    assert.equal(sockets[family].send(payload, 0, length, length, to), 0);
  }

  for (const family of [4, 6] as const) {
    it(`have each flow over IPv${family} in one of them, and flows in all of them`, () => {
      drain(queues, 17);
      for (let last = 0; last < 3; last++) for (let port = 1000; port < 1064; port++) send(family, port, last);
      const found = drain(queues, 17);
      assert.equal(found.length, 3 * 64);
      const used = new Set<number>();
      for (let port = 1000; port < 1064; port++) {
        const flow = found.filter((packet) => packet.port === port);
        assert.deepEqual(
          flow.map(({ last }) => last),
          [0, 1, 2],
        );
        assert.equal(new Set(flow.map(({ queue }) => queue)).size, 1);
        used.add(flow[0].queue);
      }
      assert.equal(used.size, QUEUES);
    });
  }

  it('do not lose a flow to the queue that an answer of it is written to', () => {
    drain(queues, 17);
    send(4, 2000, 1);
    const [{ queue }] = drain(queues, 17);
    for (const other of queues) {
      writeAnswer(other, 2000);
      send(4, 2000, 2);
      assert.deepEqual(drain(queues, 17), [{ queue, port: 2000, last: 2 }]);
    }
  });

  /** As it would come out of the tunnel: an IPv4 packet from the port. */
  function writeAnswer(tun: Tun, port: number): void {
    const answer = new NativeBuffer(PACKET + 28);
    answer.bytes.set([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0x66, 0xaa, 10, 9, 0, 2, 10, 9, 0, 1], PACKET);
    answer.view.setUint16(PACKET + 20, port);
    answer.view.setUint16(PACKET + 22, sockets[4].port);
    answer.view.setUint16(PACKET + 24, 8);
    const pieces = new PieceList(1);
    pieces.set(0, answer.address, answer.bytes.length);
    assert.equal(tun.write(pieces, 1), true);
  }

  it('have all fragments of a datagram in one of them', () => {
    drain(queues, 17);
    for (let port = 3000; port < 3032; port++) send(4, port, 1, 5000);
    const used = new Set(drain(queues, 17).map(({ queue }) => queue));
    assert.equal(used.size, 1);
  });

  it('are not shared with another program that asks for a device of that name', () => {
    assert.throws(
      () => inNamespace(namespacePath(NAMESPACE), () => openTunQueues('wm0', 2)),
      (error) => error instanceof TunError && /in use/.test(error.message),
    );
  });
});
