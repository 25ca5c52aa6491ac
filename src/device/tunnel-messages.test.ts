import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parsePrefix } from '../inet/index.ts';
import { RELAY_PORT, tunnelMessage, TUNNEL_PORT } from '../packet/index.ts';
import { setUint16, naiveChecksum } from '../../test/packets.ts';
import type { PathCounters } from './path-counters.ts';
import { TestNetwork, type TestNode } from './relay-network-for-testing.ts';

const UDP = 17;
const FRAGMENT = 44;
const DESTINATION_OPTIONS = 60;

function countsOf({ counters }: TestNode): Partial<PathCounters> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0));
}

/** What a node would send; tests bend it. */
function message(from: TestNode, to: TestNode, text = 'leave'): Uint8Array {
  return tunnelMessage(Buffer.from(text), from.address.bytes, to.address.bytes);
}

/** `packet` with `change` made, and its checksum put right again. */
function bent(packet: Uint8Array, change: (packet: Uint8Array) => void): Uint8Array {
  change(packet);
  setUint16(packet, 46, 0);
  const pseudoHeader = [...packet.subarray(8, 40), 0, UDP, packet[44], packet[45]];
  setUint16(packet, 46, naiveChecksum(new Uint8Array([...pseudoHeader, ...packet.subarray(40)])));
  return packet;
}

/** `packet` with an extension header of 8 bytes between IPv6 and UDP. */
function extended(packet: Uint8Array, nextHeader: number, header: readonly number[]): Uint8Array {
  const longer = new Uint8Array(packet.length + 8);
  longer.set(packet.subarray(0, 40));
  longer.set([UDP, ...header], 40);
  longer.set(packet.subarray(40), 48);
  longer[6] = nextHeader;
  setUint16(longer, 4, longer.length - 40);
  return longer;
}

/** Two nodes with a session. */
function pair(): { network: TestNetwork; a: TestNode; b: TestNode } {
  const network = TestNetwork.line(2);
  const [a, b] = network.nodes;
  a.say('hello', b);
  for (const node of [a, b]) node.forget();
  return { network, a, b };
}

describe('a tunnel message', () => {
  it('goes from node to node, over relays as well, waits for the session, and no host sees it', () => {
    const network = TestNetwork.line(4);
    const [a, b, , d] = network.nodes;
    a.say('near', b);
    a.say('far', d);
    network.run(1000);
    d.say('and back', a);
    assert.deepEqual(b.heard, ['fd77::1: near']);
    assert.deepEqual(d.heard, ['fd77::1: far']);
    assert.deepEqual(a.heard, ['fd77::4: and back']);
    for (const node of network.nodes) {
      assert.deepEqual(node.delivered, [], node.name);
      assert.deepEqual(countsOf(node), {}, node.name);
    }
  });

  it('keeps its place behind those before it, and does not make the peer look busy', () => {
    const network = TestNetwork.line(2);
    const [a, b] = network.nodes;
    for (let i = 0; i < 10; i++) a.say(`${i}`, b);
    assert.deepEqual(
      b.heard,
      Array.from({ length: 10 }, (_, i) => `fd77::1: ${i}`),
    );
    assert.deepEqual(a.events, []);
  });

  it('to nobody is counted: a peer that leads to a network is not everybody in it', () => {
    const { a, b } = pair();
    a.setPeer(b, { allowedIps: [{ prefix: parsePrefix('::/0')! }] });
    const [stranger] = new TestNetwork(9).nodes.slice(-1);
    a.say('anybody there?', stranger);
    assert.deepEqual(countsOf(a), { noRoute: 1 });
    assert.deepEqual(b.heard, []);
  });
});

describe('what a host sends', () => {
  it('on a port of the mesh, from whatever source, stays here', () => {
    const { a, b } = pair();
    const own = message(a, b);
    a.sendPacket(own);
    const variants = [TUNNEL_PORT, RELAY_PORT].flatMap((port) =>
      [40, 42].map((at) =>
        bent(message(a, b), (packet) => {
          setUint16(packet, 40, 1);
          setUint16(packet, 42, 1);
          setUint16(packet, at, port);
        }),
      ),
    );
    for (const packet of variants) a.sendPacket(packet);
    a.sendPacket(bent(message(a, b), (packet) => packet.set([0x20, 0x01, 0x0d, 0xb8], 8)));
    assert.deepEqual(countsOf(a), { hostOnMeshPort: 6 });
    assert.deepEqual([...b.heard, ...b.delivered], []);
    assert.deepEqual(countsOf(b), {});
  });

  it('in parts that only behind the tunnel make a message is none there', () => {
    const { a, b } = pair();
    const [first, last] = [0x0001, 0x0008];
    const fragments = [
      extended(message(a, b), FRAGMENT, [0, first >> 8, first & 255, 0, 0, 0, 7]),
      extended(message(a, b), FRAGMENT, [0, last >> 8, last & 255, 0, 0, 0, 7]),
      extended(message(a, b), DESTINATION_OPTIONS, [0, 1, 4, 0, 0, 0, 0]),
    ];
    for (const packet of fragments) a.sendPacket(packet);
    assert.deepEqual(b.heard, []);
    // To the host they are packets as others are: nothing of the mesh listens there.
    assert.equal(b.delivered.length, 3);
  });

  it('in one large packet, all of whose segments would be messages, stays here as a whole', () => {
    const { a, b } = pair();
    const large = message(a, b, 'x'.repeat(1000));
    const virtio = [1, 5, 48, 0, 100, 0, 40, 0, 6, 0];
    a.sendLarge(Uint8Array.of(...virtio, ...large));
    assert.deepEqual(countsOf(a), { hostOnMeshPort: 1 });
    assert.deepEqual(b.heard, []);
  });

  it('does not become a message by the checksum that the device is to complete', () => {
    // Of a virtual machine behind a gateway: where the checksum is to be written is what it says.
    const { a, b } = pair();
    for (const [start, offset] of [
      [40, 0],
      [40, 2],
      [0, 40],
      [0, 6],
      [36, 6],
    ]) {
      const packet = message(a, b);
      packet.set([0, 1, 0, 1], 40);
      a.sendLarge(Uint8Array.of(1, 0, 0, 0, 0, 0, start, 0, offset, 0, ...packet));
    }
    assert.deepEqual(countsOf(a), { malformedOutbound: 5 });
    assert.deepEqual([...b.heard, ...b.delivered], []);
  });
});

describe('a peer that keeps to no rules', () => {
  it('is heard in the one plain form only, and the host gets nothing of the rest', () => {
    const { a, b } = pair();
    a.sendInSession(b, message(a, b, 'plain'));
    assert.deepEqual(b.heard, ['fd77::1: plain']);
    const wrong: [string, Uint8Array][] = [
      ['another source port', bent(message(a, b), (packet) => setUint16(packet, 40, 7077))],
      ['a destination in the mesh that is not ours', bent(message(a, b), (packet) => (packet[39] = 9))],
      ['a UDP length too short', bent(message(a, b), (packet) => packet[45]--)],
      ['a UDP length of 0', bent(message(a, b), (packet) => setUint16(packet, 44, 0))],
      ['a wrong checksum', message(a, b).fill(0, -1)],
      ['no checksum', message(a, b).fill(0, 46, 48)],
      ['no UDP header', message(a, b).subarray(0, 44)],
    ];
    wrong.at(-1)![1][5] = 4;
    for (const [what, packet] of wrong) {
      const before = b.counters.tunnelMessageMalformed;
      a.sendInSession(b, packet);
      assert.equal(b.counters.tunnelMessageMalformed, before + 1, what);
    }
    assert.equal(b.heard.length, 1);
    assert.deepEqual(b.delivered, []);
  });

  it('does not speak for a node behind it, nor for a network that it leads to', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    a.say('hello', b);
    b.forget();
    a.sendInSession(b, message(c, b));
    assert.deepEqual(countsOf(b), { sourceNotAllowed: 1 });
    for (const prefix of ['2001:db8::/32', 'fd77:0:1::/48']) {
      b.setPeer(a, { acceptFrom: [parsePrefix(prefix)!] });
      const { address } = parsePrefix(prefix)!;
      a.sendInSession(
        b,
        bent(message(a, b), (packet) => packet.set(address.bytes, 8)),
      );
    }
    b.setPeer(a, { allowedIps: [{ prefix: parsePrefix('fd77:0:2::/48')! }] });
    a.sendInSession(
      b,
      bent(message(a, b), (packet) => packet.set(parsePrefix('fd77:0:2::/48')!.address.bytes, 8)),
    );
    assert.deepEqual(countsOf(b), { sourceNotAllowed: 1, tunnelMessageMalformed: 3 });
    assert.deepEqual([...b.heard, ...b.delivered], []);
  });

  it('fills nobody else’s memory, and does not silence the others', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    a.say('hello', b);
    c.say('hello', b);
    network.run(1000);
    b.forget();
    for (let i = 0; i < 5000; i++) a.sendInSession(b, message(a, b));
    assert.equal(b.heard.length, 400);
    assert.deepEqual(countsOf(b), { tunnelMessageRateExceeded: 4600 });
    c.say('still here', b);
    assert.equal(b.heard.at(-1), 'fd77::3: still here');
    network.run(1000);
    a.say('again', b);
    assert.equal(b.heard.at(-1), 'fd77::1: again');
  });
});
