import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Epoll } from './epoll.ts';
import { EventFd } from './eventfd.ts';
import { IcmpSocket } from './icmp-socket.ts';
import { LinkMonitor, listAddresses, listLinks } from './link-monitor.ts';
import { NativeBuffer } from './native-buffer.ts';
import { enterNamespace, inNamespace } from './netns.ts';
import { PacketSocket } from './packet-socket.ts';
import { errnoName, SystemCallError } from './syscall.ts';
import { openTun } from './tun.ts';
import { openUdpPair, openUdpSocket } from './udp.ts';

const openDescriptors = () => readdirSync('/proc/self/fd').length;

describe('descriptors', () => {
  it('are closed on every way out, the failing ones too', () => {
    const [held] = openUdpPair(0);
    const device = openTun('wmlinux%d');
    const failing: [string, () => unknown][] = [
      ['port in use', () => openUdpSocket(4, held.port)],
      ['port of a pair in use', () => openUdpPair(held.port)],
      ['name in use', () => openTun(device.name)],
      ['not a TUN device', () => openTun('lo')],
      ['no such interface', () => new PacketSocket({ index: 999_999, name: 'nosuch' })],
      ['no namespace to enter', () => enterNamespace('/dev/null')],
      ['no namespace', () => inNamespace('/nosuch', () => 0)],
    ];
    const closing: (() => { close(): void })[] = [
      () => new Epoll(),
      () => new EventFd(),
      () => new IcmpSocket(),
      () => new LinkMonitor(),
      () => new PacketSocket(),
      () => openUdpSocket(6, 0),
      () => openTun('wmlinux%d'),
    ];
    const before = openDescriptors();
    for (const [why, open] of failing) assert.throws(open, why);
    for (const open of closing) open().close();
    listLinks();
    listAddresses();
    assert.equal(openDescriptors(), before);
    held.close();
    device.close();
  });
});

describe('the error of a system call', () => {
  it('names the call, the error and what it was done to, and what a person can do', () => {
    const error = new SystemCallError('ioctl', 'EPERM', 'TUN device wg0');
    assert.equal(error.message, 'ioctl on TUN device wg0 failed: EPERM (run as root or with CAP_NET_ADMIN)');
    assert.deepEqual([error.call, error.errno, error.subject], ['ioctl', 'EPERM', 'TUN device wg0']);
  });

  it('has the name that everybody uses where there are two', () => {
    assert.deepEqual([11, 77, 97, 98, 9999].map(errnoName), [
      'EAGAIN',
      'EBADFD',
      'EAFNOSUPPORT',
      'EADDRINUSE',
      'errno 9999',
    ]);
  });
});

describe('memory for the kernel', () => {
  it('starts on a page if it is large, on eight bytes if it is small, and is zero', () => {
    for (const length of [1, 28, 4095, 4096, 65_546]) {
      const buffer = new NativeBuffer(length);
      assert.equal(buffer.bytes.length, length);
      assert.equal(buffer.address % (length < 4096 ? 8 : 4096), 0);
      assert.ok(buffer.bytes.every((byte) => byte === 0));
    }
  });
});
