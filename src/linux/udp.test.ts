import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parseEndpoint, type Endpoint } from '../inet/index.ts';
import { runIpBatch } from './ip-batch.ts';
import { addAddress, addVethPair, deleteLink, setMtu, setUp } from './link.ts';
import { listLinks } from './link-monitor.ts';
import { NativeBuffer } from './native-buffer.ts';
import { createNamespace, deleteNamespace, inNamespace, namespacePath } from './netns.ts';
import { SocketAddress } from './socket-address.ts';
import { openSendOnly, openUdpGroup } from './udp-group.ts';
import { watchReadable } from './syscall.ts';
import { MAX_SEGMENTS, MAX_TRAIN_BYTES, openUdpPair, openUdpSocket, PortInUseError, type UdpSocket } from './udp.ts';

const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const;

function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  assert.ok(parsed);
  return parsed;
}

function addressOf(socket: UdpSocket): SocketAddress {
  const address = new SocketAddress();
  const host = LOOPBACK[socket.family];
  address.fromEndpoint(endpoint(socket.family === 6 ? `[${host}]:${socket.port}` : `${host}:${socket.port}`));
  return address;
}

/** Two sockets of one family on free ports, closed when `use` is done. */
function withSockets(family: 4 | 6, use: (a: UdpSocket, b: UdpSocket) => void): void {
  const a = openUdpSocket(family, 0);
  const b = openUdpSocket(family, 0);
  try {
    use(a, b);
  } finally {
    a.close();
    b.close();
  }
}

/** A buffer of `length` bytes, each different from its neighbours. */
function filled(length: number): NativeBuffer {
  const buffer = new NativeBuffer(length);
  for (let i = 0; i < length; i++) buffer.bytes[i] = i * 7 + (i >> 8);
  return buffer;
}

for (const family of [4, 6] as const) {
  describe(`a UDP socket over IPv${family}`, () => {
    it('delivers a datagram and says whence it came and where to', () => {
      withSockets(family, (a, b) => {
        const sent = filled(100);
        const received = new NativeBuffer(2000);
        assert.equal(a.send(sent, 10, 90, 90, addressOf(b)), 0);
        assert.equal(b.receive(received), 90);
        assert.deepEqual(received.bytes.subarray(0, 90), sent.bytes.subarray(10, 100));
        assert.ok(b.source.equals(addressOf(a)));
        assert.deepEqual(b.source.toEndpoint(), {
          ...addressOf(a).toEndpoint(),
          local: parseAddress(LOOPBACK[family]),
        });
        assert.deepEqual(b.localAddress, parseAddress(LOOPBACK[family])?.bytes);
        assert.equal(b.localInterfaceIndex, 1);
        assert.equal(b.segmentSize, 90);
        assert.equal(b.trafficClass, 0);
        assert.equal(b.isTruncated, false);
        assert.equal(b.receive(received), 0);
      });
    });

    it('sends a train with one call and receives it whole, its last datagram shorter', () => {
      withSockets(family, (a, b) => {
        const sent = filled(1420 * 39 + 100);
        const received = new NativeBuffer(65_536);
        assert.equal(a.send(sent, 0, sent.bytes.length, 1420, addressOf(b)), 0);
        let total = 0;
        for (let length = b.receive(received); length > 0; length = b.receive(received)) {
          assert.deepEqual(received.bytes.subarray(0, length), sent.bytes.subarray(total, total + length));
          assert.equal(b.segmentSize, Math.min(1420, length));
          total += length;
        }
        assert.equal(total, sent.bytes.length);
      });
    });

    it('takes the largest train it promises to take', () => {
      withSockets(family, (a, b) => {
        const segmentSize = Math.floor(MAX_TRAIN_BYTES / MAX_SEGMENTS);
        const sent = filled(segmentSize * MAX_SEGMENTS);
        assert.equal(a.send(sent, 0, sent.bytes.length, segmentSize, addressOf(b)), 0);
        assert.ok(b.receive(new NativeBuffer(65_536)) > 0);
      });
    });

    it('sends one by one what the kernel will not cut, and loses nothing', () => {
      withSockets(family, (a, b) => {
        // One segment more than the kernel (128 of late) cuts stands for every other reason to refuse.
        const sent = filled(10 * 200);
        const received = new NativeBuffer(65_536);
        assert.equal(a.send(sent, 0, sent.bytes.length, 10, addressOf(b)), 0);
        let total = 0;
        for (let length = b.receive(received); length > 0; length = b.receive(received)) {
          assert.equal(b.segmentSize, 10);
          assert.deepEqual(received.bytes.subarray(0, length), sent.bytes.subarray(total, total + length));
          total += length;
        }
        assert.equal(total, sent.bytes.length);
      });
    });

    it('passes over empty datagrams', () => {
      withSockets(family, (a, b) => {
        const sent = filled(8);
        const received = new NativeBuffer(2000);
        a.send(sent, 0, 0, 0, addressOf(b));
        a.send(sent, 0, 8, 8, addressOf(b));
        assert.equal(b.receive(received), 8);
      });
    });

    it('says that a datagram did not fit the buffer', () => {
      withSockets(family, (a, b) => {
        a.send(filled(100), 0, 100, 100, addressOf(b));
        assert.equal(b.receive(new NativeBuffer(50)), 50);
        assert.equal(b.isTruncated, true);
      });
    });

    it('answers the number of the error when a datagram cannot be sent, and goes on', () => {
      withSockets(family, (a, b) => {
        const nowhere = new SocketAddress();
        nowhere.fromEndpoint(endpoint(family === 6 ? '[fe80::1%99999]:9' : '255.255.255.255:9'));
        assert.notEqual(a.send(filled(8), 0, 8, 8, nowhere), 0);
        assert.equal(a.send(filled(8), 0, 8, 8, addressOf(b)), 0);
        assert.equal(b.receive(new NativeBuffer(100)), 8);
      });
    });

    it('names the port that is in use and what to do', () => {
      withSockets(family, (a) => {
        assert.throws(
          () => openUdpSocket(family, a.port),
          (error: Error) =>
            error instanceof PortInUseError && error.port === a.port && /stop the program/.test(error.message),
        );
      });
    });

    it('may be closed twice, without closing what has its number since', () => {
      const a = openUdpSocket(family, 0);
      const { fd } = a;
      a.close();
      const b = openUdpSocket(family, 0);
      assert.equal(b.fd, fd);
      a.close();
      assert.equal(b.send(filled(8), 0, 8, 8, addressOf(b)), 0);
      b.close();
      assert.equal(b.fd, -1);
    });
  });
}

describe('a pair of UDP sockets', () => {
  it('has one port, given or free', () => {
    const free = openUdpPair(0);
    assert.deepEqual(
      free.map(({ family }) => family),
      [4, 6],
    );
    const { port } = free[0];
    assert.equal(free[1].port, port);
    assert.throws(() => openUdpPair(port), PortInUseError);
    free.forEach((socket) => socket.close());
    const given = openUdpPair(port);
    assert.ok(given.every((socket) => socket.port === port));
    given.forEach((socket) => socket.close());
  });
});

describe('a train whose datagrams are larger than the MTU of the path', () => {
  const [near, far] = ['wmlinux-udp-a', 'wmlinux-udp-b'];

  it('arrives all the same, in fragments', async () => {
    await Promise.all([createNamespace(near), createNamespace(far)]);
    try {
      const ends = [
        { namespace: near, link: 'a', hosts: ['10.9.0.1', 'fd00::1'] },
        { namespace: far, link: 'b', hosts: ['10.9.0.2', 'fd00::2'] },
      ];
      await runIpBatch([addVethPair({ link: 'a' }, { link: 'b', namespace: far })], { namespace: near });
      for (const { namespace, link, hosts } of ends) {
        const addresses = hosts.map((host) => addAddress(link, parseAddress(host)!, host.includes(':') ? 64 : 24));
        await runIpBatch([setMtu(link, 1280), setUp(link), ...addresses], { namespace });
      }
      await sendFragmented(4, '10.9.0.2:7777');
      await sendFragmented(6, '[fd00::2]:7777');
    } finally {
      await Promise.all([deleteNamespace(near), deleteNamespace(far)]);
    }
  });

  async function sendFragmented(family: 4 | 6, to: string): Promise<void> {
    const a = inNamespace(namespacePath(near), () => openUdpSocket(family, 0));
    const b = inNamespace(namespacePath(far), () => openUdpSocket(family, 7777));
    const address = new SocketAddress();
    address.fromEndpoint(endpoint(to));
    const sent = filled(14_000);
    assert.equal(a.send(sent, 0, 14_000, 1400, address), 0);
    const received = new NativeBuffer(65_536);
    let total = 0;
    await new Promise<void>((resolve) => {
      const watch = watchReadable(b.fd, () => {
        for (let length = b.receive(received); length > 0; length = b.receive(received)) {
          assert.equal(b.segmentSize, 1400);
          assert.deepEqual(received.bytes.subarray(0, length), sent.bytes.subarray(total, total + length));
          total += length;
        }
        if (total < 14_000) return;
        watch.close();
        resolve();
      });
    });
    a.close();
    b.close();
  }
});

describe('a host of several addresses', () => {
  const namespace = 'wmlinux-udp-source';

  it('sends from the one that it is told, whatever else it said before', async () => {
    await createNamespace(namespace);
    const local = parseAddress('fd00::1:2');
    assert.ok(local);
    await runIpBatch([setUp('lo'), addAddress('lo', local, 128)], { namespace });
    const [a, b] = inNamespace(namespacePath(namespace), () => [openUdpSocket(6, 0), openUdpSocket(6, 0)]);
    const to = addressOf(b);
    const received = new NativeBuffer(100);
    // Control messages of other lengths lie one behind the other in memory that is used again.
    for (const trafficClass of [0, 0x88, 0]) {
      for (const bytes of [100, 30]) {
        to.setLocal(local.bytes, 16);
        a.sendTrafficClass = trafficClass;
        assert.equal(a.send(filled(100), 0, 100, bytes, to), 0);
        for (let left = 100; left > 0;) {
          const length = b.receive(received);
          assert.notEqual(length, 0);
          left -= length;
          assert.deepEqual(b.source.ipAddress, local.bytes);
          assert.equal(b.trafficClass, trafficClass);
        }
        assert.equal(to.localLength, 16, 'it is not forgotten');
      }
    }
    a.close();
    b.close();
    await deleteNamespace(namespace);
  });
});

describe('a multicast group', () => {
  it('is joined on one interface, twice without harm, and left', async () => {
    await createNamespace('wmlinux-udp');
    try {
      const local = parseAddress('fd00::1');
      assert.ok(local);
      const lines = [addVethPair({ link: 'a' }, { link: 'b' }), setUp('a'), setUp('b'), addAddress('a', local, 64)];
      await runIpBatch(lines, { namespace: 'wmlinux-udp' });
      inNamespace(namespacePath('wmlinux-udp'), () => withSockets(6, joinAndLeave));
    } finally {
      await deleteNamespace('wmlinux-udp');
    }
  });

  it('is joined again on an interface that was made anew with the same index', async () => {
    const namespace = 'wmlinux-udp2';
    await createNamespace(namespace);
    try {
      const make = [
        'link add name a index 77 type veth peer name b',
        setUp('a'),
        setUp('b'),
        'address add fe80::77/64 dev a nodad',
      ];
      await runIpBatch(make, { namespace });
      const group = parseAddress('ff12::7777')?.bytes as Uint8Array;
      const [a, b] = inNamespace(namespacePath(namespace), () => [openUdpSocket(6, 0), openUdpSocket(6, 0)]);
      try {
        b.joinGroup(group, 77);
        await runIpBatch([deleteLink('a'), ...make], { namespace });
        b.joinGroup(group, 77);
        const to = new SocketAddress();
        to.fromEndpoint(endpoint(`[ff12::7777%77]:${b.port}`));
        assert.equal(a.send(filled(8), 0, 8, 8, to), 0);
        assert.equal(b.receive(new NativeBuffer(100)), 8);
      } finally {
        a.close();
        b.close();
      }
    } finally {
      await deleteNamespace(namespace);
    }
  });

  function joinAndLeave(a: UdpSocket, b: UdpSocket): void {
    const group = parseAddress('ff02::7777')?.bytes;
    const link = listLinks().find(({ name }) => name === 'a')?.index;
    assert.ok(group !== undefined && link !== undefined);
    b.joinGroup(group, link);
    b.joinGroup(group, link);
    const to = new SocketAddress();
    to.fromEndpoint(endpoint(`[ff02::7777%${link}]:${b.port}`));
    assert.equal(a.send(filled(8), 0, 8, 8, to), 0);
    assert.equal(b.receive(new NativeBuffer(100)), 8);
    assert.deepEqual(b.localAddress, group);
    assert.equal(b.localInterfaceIndex, link);
    b.leaveGroup(group, link);
    b.leaveGroup(group, link);
    assert.equal(a.send(filled(8), 0, 8, 8, to), 0);
    assert.equal(b.receive(new NativeBuffer(100)), 0);
  }
});

describe('a socket address', () => {
  it('is the endpoint it was made of, whatever it was before', () => {
    const address = new SocketAddress();
    for (const text of ['[fe80::1%3]:51820', '192.0.2.1:1', '[2001:db8::1]:65535']) {
      address.fromEndpoint(endpoint(text));
      assert.deepEqual(address.toEndpoint(), endpoint(text));
      const copy = new SocketAddress();
      copy.fromEndpoint(endpoint(text));
      assert.ok(copy.equals(address));
    }
  });

  it('equals no other address, port or scope', () => {
    const texts = [
      '[fe80::1%3]:1',
      '[fe80::1%4]:1',
      '[fe80::1%3]:2',
      '[fe80::2%3]:1',
      '10.0.0.1:1',
      '10.0.0.2:1',
      '10.0.0.1:2',
    ];
    const addresses = texts.map((text) => {
      const address = new SocketAddress();
      address.fromEndpoint(endpoint(text));
      return address;
    });
    for (const a of addresses) for (const b of addresses) assert.equal(a.equals(b), a === b);
  });
});

describe('a group of UDP sockets on one port', () => {
  const SPREAD = 4;
  const MEMBERS = 3;

  /** Sends a datagram of each of `senders`, which begins with `first`. @returns which member got each */
  function membersOf(group: readonly (readonly UdpSocket[])[], senders: readonly UdpSocket[], first: number): number[] {
    const datagram = new NativeBuffer(32);
    const received = new NativeBuffer(2000);
    datagram.bytes[0] = first;
    return senders.map((sender) => {
      const place = sender.family === 4 ? 0 : 1;
      assert.equal(sender.send(datagram, 0, 32, 32, addressOf(group[0][place])), 0);
      const members = group.flatMap((sockets, member) => (sockets[place].receive(received) > 0 ? [member] : []));
      assert.equal(members.length, 1);
      return members[0];
    });
  }

  for (const family of [4, 6] as const) {
    it(`spreads senders over IPv${family}, and leaves each with its member`, () => {
      const group = openUdpGroup(0, MEMBERS, SPREAD);
      const senders = Array.from({ length: 48 }, () => openUdpSocket(family, 0));
      const members = membersOf(group, senders, SPREAD);
      assert.deepEqual(membersOf(group, senders, SPREAD), members);
      assert.deepEqual([...new Set(members)].sort(), [0, 1, 2]);
      for (const socket of [...group.flat(), ...senders]) socket.close();
    });

    it(`has the first member receive over IPv${family} what is not to be spread`, () => {
      const group = openUdpGroup(0, MEMBERS, SPREAD);
      const senders = Array.from({ length: 16 }, () => openUdpSocket(family, 0));
      for (const first of [1, 2, 3, 0, 200]) {
        assert.deepEqual(new Set(membersOf(group, senders, first)), new Set([0]));
      }
      for (const socket of [...group.flat(), ...senders]) socket.close();
    });
  }

  for (const family of [4, 6] as const) {
    it(`has sockets over IPv${family} that only send, from its port and with its mark`, () => {
      const group = openUdpGroup(0, MEMBERS, SPREAD);
      const place = family === 4 ? 0 : 1;
      const only = Array.from({ length: 5 }, () => openSendOnly(group[1][place]));
      const senders = Array.from({ length: 48 }, () => openUdpSocket(family, 0));
      const members = membersOf(group, senders, SPREAD);
      assert.deepEqual([...new Set(members)].sort(), [0, 1, 2]);
      assert.deepEqual(new Set(membersOf(group, senders, 1)), new Set([0]));
      assert.equal(only[4].send(filled(100), 0, 100, 100, addressOf(senders[0])), 0);
      assert.ok(senders[0].receive(new NativeBuffer(2000)) > 0);
      assert.equal(senders[0].source.toEndpoint().port, group[0][place].port);
      for (const socket of [...group.flat(), ...only, ...senders]) socket.close();
    });

    it(`may be a single one over IPv${family}, which goes on receiving all`, () => {
      const single = openUdpSocket(family, 0);
      single.setMark(7);
      const only = [openSendOnly(single), openSendOnly(single)];
      assert.deepEqual(
        only.map(({ mark }) => mark),
        [7, 7],
      );
      const senders = Array.from({ length: 16 }, () => openUdpSocket(family, 0));
      const received = new NativeBuffer(2000);
      for (const sender of senders) {
        assert.equal(sender.send(filled(100), 0, 100, 100, addressOf(single)), 0);
        assert.equal(single.receive(received), 100);
      }
      assert.throws(() => openUdpSocket(family, single.port), PortInUseError);
      for (const socket of [single, ...only, ...senders]) socket.close();
    });
  }

  it('takes no port that somebody holds, and holds its own against others', () => {
    const group = openUdpGroup(0, MEMBERS, SPREAD);
    const [{ port }] = group[0];
    assert.throws(() => openUdpGroup(port, MEMBERS, SPREAD), PortInUseError);
    assert.throws(() => openUdpSocket(4, port), PortInUseError);
    for (const socket of group.flat()) socket.close();
    const single = openUdpSocket(6, port);
    assert.throws(() => openUdpGroup(port, MEMBERS, SPREAD), PortInUseError);
    single.close();
  });
});
