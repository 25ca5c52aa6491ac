import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseAddress, parseEndpoint } from '../inet/index.ts';
import { Epoll } from './epoll.ts';
import { InterfaceNameError } from './interface-name.ts';
import { runIpBatch, runIpCommand } from './ip-batch.ts';
import { listLinks } from './link-monitor.ts';
import { addAddress, addBridge, deleteLink, setMtu, setUp } from './link.ts';
import { NativeBuffer } from './native-buffer.ts';
import { createNamespace, deleteNamespace, inNamespace, namespacePath } from './netns.ts';
import { SocketAddress } from './socket-address.ts';
import { SystemCallError } from './syscall.ts';
import { currentName, inNamespaceOf, openTun, PieceList, TunError, type Tun } from './tun.ts';
import { openUdpSocket } from './udp.ts';

const NAMESPACE = 'wmlinux-tun';
const VIRTIO_HEADER_BYTES = 10;
const IPV4_SOURCE = VIRTIO_HEADER_BYTES + 12;
const UDP_HEADER = VIRTIO_HEADER_BYTES + 20;

function open(name: string): Tun {
  return inNamespace(namespacePath(NAMESPACE), () => openTun(name));
}

describe('a TUN device', () => {
  before(() => createNamespace(NAMESPACE));
  after(() => deleteNamespace(NAMESPACE));

  it('takes the free number that %d stands for', () => {
    const a = open('wm%d');
    const b = open('wm%d');
    assert.deepEqual([a.name, b.name], ['wm0', 'wm1']);
    a.close();
    b.close();
  });

  it('has the offloads that this kernel has', () => {
    const tun = open('wm0');
    assert.deepEqual(tun.offloads, { checksum: true, tso: true, uso: true });
    tun.close();
  });

  it('hands out a packet that the host sends, and takes the answer in', async () => {
    const tun = open('wm0');
    const local = parseAddress('10.9.0.1');
    assert.ok(local);
    await runIpBatch([addAddress('wm0', local, 24), setMtu('wm0', 1420), setUp('wm0')], { namespace: NAMESPACE });
    const socket = inNamespace(namespacePath(NAMESPACE), () => openUdpSocket(4, 0));
    const to = new SocketAddress();
    to.fromEndpoint(parseEndpoint('10.9.0.2:7')!);
    const payload = new NativeBuffer(5000);
    payload.bytes.fill(0x55);
    socket.send(payload, 0, 5000, 1000, to);

    // Segmentation offload: five datagrams arrive as one packet.
    const packet = new NativeBuffer(65_536 + VIRTIO_HEADER_BYTES);
    let length = tun.read(packet);
    while (length > 0 && packet.bytes[VIRTIO_HEADER_BYTES] >> 4 !== 4) length = tun.read(packet);
    assert.equal(length, VIRTIO_HEADER_BYTES + 20 + 8 + 5000);

    // The same packet back, source and destination exchanged, which leaves the checksums right.
    const answer = new NativeBuffer(length);
    answer.bytes.set(packet.bytes.subarray(0, length));
    answer.bytes.copyWithin(IPV4_SOURCE, IPV4_SOURCE + 4, IPV4_SOURCE + 8);
    answer.bytes.set(packet.bytes.subarray(IPV4_SOURCE, IPV4_SOURCE + 4), IPV4_SOURCE + 4);
    answer.bytes.copyWithin(UDP_HEADER, UDP_HEADER + 2, UDP_HEADER + 4);
    answer.bytes.set(packet.bytes.subarray(UDP_HEADER, UDP_HEADER + 2), UDP_HEADER + 2);
    const pieces = new PieceList(2);
    pieces.set(0, answer.address, VIRTIO_HEADER_BYTES);
    pieces.set(1, answer.address + VIRTIO_HEADER_BYTES, length - VIRTIO_HEADER_BYTES);
    assert.equal(tun.write(pieces, 2), true);
    const received = new NativeBuffer(65_536);
    assert.equal(socket.receive(received), 5000);
    assert.equal(socket.segmentSize, 1000);
    assert.ok(socket.source.equals(to));

    assert.equal(tun.write(pieces, 1), false, 'a header without a packet is refused');
    socket.close();
    tun.close();
  });

  it('says that it would block, and that it is gone', async () => {
    const tun = open('wm0');
    const buffer = new NativeBuffer(2000);
    const epoll = new Epoll();
    epoll.add(tun.fd, 1);
    assert.equal(tun.read(buffer), 0);
    assert.equal(epoll.wait(0), 0);
    await runIpBatch([deleteLink('wm0')], { namespace: NAMESPACE });
    assert.equal(epoll.wait(0), 1);
    assert.throws(
      () => tun.read(buffer),
      (error) => error instanceof SystemCallError && error.errno === 'EBADFD',
    );
    epoll.close();
    tun.close();
    tun.close();
    assert.equal(tun.fd, -1);
  });

  it('is found again under another name and in another namespace', async () => {
    const elsewhere = `${NAMESPACE}-2`;
    const tun = open('wm0');
    await createNamespace(elsewhere);
    assert.equal(currentName(tun), 'wm0');
    await runIpCommand(['-n', NAMESPACE, 'link', 'set', 'wm0', 'netns', elsewhere, 'name', 'wm7']);
    assert.equal(currentName(tun), 'wm7');
    assert.deepEqual(
      inNamespaceOf(tun, listLinks).map(({ name }) => name),
      ['lo', 'wm7'],
    );
    await runIpBatch([deleteLink('wm7')], { namespace: elsewhere });
    assert.equal(currentName(tun), undefined);
    assert.throws(() => inNamespaceOf(tun, listLinks), SystemCallError);
    tun.close();
    await deleteNamespace(elsewhere);
  });

  it('cannot have a name that is in use, of another kind of link, or no name at all', async () => {
    const tun = open('wm0');
    assert.throws(
      () => open('wm0'),
      (error) => error instanceof TunError && /in use/.test(error.message),
    );
    tun.close();
    await runIpBatch([addBridge('br0')], { namespace: NAMESPACE });
    assert.throws(
      () => open('br0'),
      (error) => error instanceof TunError && /not a TUN device/.test(error.message),
    );
    for (const name of ['', '.', 'a/b', 'a b', 'a%s', 'longer-than-15-bytes']) {
      assert.throws(() => open(name), InterfaceNameError);
    }
  });
});
