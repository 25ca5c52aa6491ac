import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressFromBytes, endpointOf } from '../inet/index.ts';
import { CE, ECT_0, foldSum, NOT_ECT, RELAY_HEADER_BYTES, RELAY_PORT, RelayHeader, sumWords } from '../packet/index.ts';
import type { PathCounters } from './path-counters.ts';
import { TestNetwork, TestNode } from './relay-network-for-testing.ts';

const NO_NEXT_HEADER = 59;
const UDP = 17;
const SECRET = 'nobody on the way is to read this';

/** An IPv6 packet between two nodes with `text` in it, filled up to `length` bytes. */
function packetBetween(from: TestNode, to: TestNode, text: string, length = 40 + text.length): Uint8Array {
  const packet = new Uint8Array(length);
  packet.set([0x60, 0, 0, 0, (length - 40) >> 8, (length - 40) & 255, NO_NEXT_HEADER, 64]);
  packet.set(from.address.bytes, 8);
  packet.set(to.address.bytes, 24);
  packet.set(Buffer.from(text), 40);
  return packet;
}

/** The same, of UDP to `port`. */
function datagramBetween(from: TestNode, to: TestNode, port: number): Uint8Array {
  const packet = packetBetween(from, to, 'abcdefgh', 60);
  packet[6] = UDP;
  packet.set([port >> 8, port & 255, port >> 8, port & 255, 0, 20], 40);
  return packet;
}

/** What a neighbour that keeps to no rules would send. */
function relayPacket(from: Uint8Array, to: Uint8Array, message: Uint8Array): Uint8Array {
  const header = new RelayHeader(from);
  header.begin(to, 0);
  const packet = new Uint8Array(RELAY_HEADER_BYTES + message.length);
  packet.set(message, RELAY_HEADER_BYTES);
  header.write(packet, 0, message.length, foldSum(sumWords(new DataView(message.buffer), 0, message.length)));
  return packet;
}

/** A keepalive of no session. */
function garbage(type = 4): Uint8Array {
  const message = new Uint8Array(32).fill(9);
  message.set([type, 0, 0, 0]);
  return message;
}

function countsOf({ counters }: TestNode): Partial<PathCounters> {
  return Object.fromEntries(Object.entries(counters).filter(([, count]) => count > 0));
}

function textsOf({ delivered }: TestNode): string[] {
  return delivered.map((packet) => Buffer.from(packet.subarray(40)).toString().replace(/\0+$/, ''));
}

function holdsSecret({ opened }: TestNode): boolean {
  return opened.some((plaintext) => Buffer.from(plaintext).includes(SECRET));
}

describe('nodes in a line', () => {
  it('reach each other over all that are between, the first packet included', () => {
    const network = TestNetwork.line(5);
    const [a, , , , e] = network.nodes;
    a.sendPacket(packetBetween(a, e, 'there'));
    network.run(1000);
    assert.deepEqual(textsOf(e), ['there']);
    e.sendPacket(packetBetween(e, a, 'and back'));
    assert.deepEqual(textsOf(a), ['and back']);
    for (const node of network.nodes) assert.deepEqual(countsOf(node), {}, node.name);
  });

  it('let those between see ciphertext and nothing else', () => {
    const network = TestNetwork.line(5);
    const [a, b, c, d, e] = network.nodes;
    for (let i = 0; i < 3; i++) {
      a.sendPacket(packetBetween(a, e, SECRET));
      e.sendPacket(packetBetween(e, a, SECRET));
      network.run(1000);
    }
    assert.equal(a.delivered.length + e.delivered.length, 6);
    // That it is found where it may be shows that it would be found elsewhere.
    assert.deepEqual([a, b, c, d, e].map(holdsSecret), [true, false, false, false, true]);
    assert.ok([b, c, d].every(({ opened, delivered }) => opened.length >= 6 && delivered.length === 0));
  });

  it('send datagrams of one size the whole way, none longer than a direct one', () => {
    const network = TestNetwork.line(4);
    const [a, b, c, d] = network.nodes;
    a.sendPacket(packetBetween(a, d, 'first'));
    network.run(1000);
    for (const { sentLengths } of [a, b, c]) sentLengths.length = 0;
    for (let i = 0; i < 10; i++) a.sendPacket(packetBetween(a, d, 'long', 1328));
    assert.equal(d.delivered.length, 11);
    for (const { sentLengths } of [a, b, c]) assert.deepEqual(sentLengths, new Array<number>(10).fill(1440));
  });

  it('hear of congestion on any part of the way, if they understand it', () => {
    for (const place of [0, 1, 2]) {
      const network = TestNetwork.line(4);
      const [a, , , d] = network.nodes;
      a.sendPacket(packetBetween(a, d, 'first'));
      network.run(1000);
      network.congestedBehind = network.nodes[place];
      const capable = packetBetween(a, d, 'capable');
      capable[1] = ECT_0 << 4;
      a.sendPacket(capable);
      a.sendPacket(packetBetween(a, d, 'incapable'));
      assert.deepEqual(textsOf(d), ['first', 'capable', 'incapable']);
      assert.deepEqual(
        d.delivered.map((packet) => (packet[1] >> 4) & 3),
        [NOT_ECT, CE, NOT_ECT],
      );
    }
  });

  it('keep their sessions for hours', () => {
    const network = TestNetwork.line(4);
    const [a, , , d] = network.nodes;
    for (let i = 0; i < 100; i++) {
      (i % 3 === 0 ? d : a).sendPacket(i % 3 === 0 ? packetBetween(d, a, `${i}`) : packetBetween(a, d, `${i}`));
      network.run(100_000);
    }
    assert.equal(a.delivered.length + d.delivered.length, 100);
  });

  it('drop what they are asked to relay and do not want to', () => {
    const network = TestNetwork.line(4);
    const [a, b, , d] = network.nodes;
    b.path.relay.configure({ address: b.address, mayForward: false });
    a.sendPacket(packetBetween(a, d, 'refused'));
    assert.deepEqual(countsOf(b), { relayRefused: 1 });
    assert.equal(d.delivered.length, 0);
  });

  it('let a packet die that goes round in a loop of tables', () => {
    const network = new TestNetwork(4);
    const [a, b, c, away] = network.nodes;
    for (const [node, next] of [
      [a, b],
      [b, c],
      [c, a],
    ]) {
      node.speaksDirectly(next);
      next.speaksDirectly(node);
      node.speaksOver(away, next);
    }
    a.sendPacket(packetBetween(a, away, 'round and round'));
    const counts = network.nodes.reduce((sum, { counters }) => sum + counters.relayHopLimit, 0);
    assert.equal(counts, 1);
  });

  it('do not send a packet back to where it came from', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    b.path.relay.setRoutes([{ destination: c.address, via: a.publicKey }]);
    a.sendPacket(packetBetween(a, c, 'back'));
    assert.deepEqual(countsOf(b), { relaySplitHorizon: 1 });
  });

  it('count what has no route, no next hop among the peers, or one that is itself behind a relay', () => {
    const network = TestNetwork.line(4);
    const [a, b, c, d] = network.nodes;
    a.path.relay.setRoutes([{ destination: d.address, via: undefined }]);
    a.sendPacket(packetBetween(a, d, 'no route'));
    assert.deepEqual(countsOf(a), { relayNoRoute: 1 });
    a.path.relay.setRoutes([{ destination: d.address, via: new Uint8Array(32) }]);
    network.run(6000);
    assert.deepEqual(countsOf(a), { relayNoRoute: 2 });
    a.path.relay.setRoutes([{ destination: d.address, via: c.publicKey }]);
    network.run(6000);
    assert.deepEqual(countsOf(a), { relayNoRoute: 2, relayNested: 1 });
    // A peer that went and came back is the next hop again.
    a.path.relay.setRoutes([{ destination: d.address, via: b.publicKey }]);
    a.setPeer(b, { remove: true });
    network.run(6000);
    assert.deepEqual(countsOf(a), { relayNoRoute: 3, relayNested: 1 });
    a.setPeer(b, { endpoint: b.endpoint });
    network.run(6000);
    assert.deepEqual(textsOf(d), ['no route']);
  });
});

describe('a neighbour that sends relay packets of its own making', () => {
  /** A line of three, `a` with a session to `b`. */
  function line(): { network: TestNetwork; a: TestNode; b: TestNode; c: TestNode } {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    a.sendPacket(packetBetween(a, b, 'hello'));
    c.sendPacket(packetBetween(c, b, 'hello'));
    b.delivered.length = 0;
    return { network, a, b, c };
  }

  it('has nothing delivered, at the end or behind it, whatever is inside', () => {
    const { a, b, c } = line();
    const inner = packetBetween(a, b, 'injected');
    const { address } = b;
    const elsewhere = Uint8Array.of(0xfe, 0x80, ...address.bytes.subarray(2));
    for (const [packet, reason] of [
      [relayPacket(a.address.bytes, address.bytes, inner), 'relayMalformed'],
      [relayPacket(a.address.bytes, address.bytes, new Uint8Array(0)), 'relayMalformed'],
      [relayPacket(elsewhere, address.bytes, garbage()), 'relayMalformed'],
      [relayPacket(a.address.bytes, address.bytes, garbage(5)), 'relayMalformed'],
      [relayPacket(a.address.bytes, address.bytes, garbage()).subarray(0, 60), 'malformedInbound'],
      [relayPacket(a.address.bytes, address.bytes, garbage()), 'unauthenticated'],
      [relayPacket(a.address.bytes, c.address.bytes, inner), 'relayMalformed'],
    ] as const) {
      const before = b.counters[reason];
      a.sendInSession(b, packet);
      assert.equal(b.counters[reason], before + 1, reason);
    }
    // Handshake messages that are none are for the machine to drop.
    for (const type of [1, 2, 3]) a.sendInSession(b, relayPacket(a.address.bytes, address.bytes, garbage(type)));
    assert.deepEqual([...b.delivered, ...c.delivered], []);
    assert.deepEqual(countsOf(c), {});
    assert.equal(b.device.drops.malformed, 3);
  });

  it('gets no relay packet into a relay packet', () => {
    const { network, a, b, c } = line();
    a.sendPacket(packetBetween(a, c, 'hello'));
    network.run(1000);
    a.sendInSession(c, relayPacket(a.address.bytes, b.address.bytes, garbage()));
    assert.deepEqual(countsOf(c), { relayNested: 1 });
    assert.deepEqual(countsOf(b), {});
  });

  it('gets so many handshake messages through in a second, for us or for others, and takes nobody else’s share', () => {
    for (const place of [1, 2]) {
      const network = TestNetwork.line(4);
      const [a, b, c] = network.nodes;
      a.sendPacket(packetBetween(a, b, 'hello'));
      c.sendPacket(packetBetween(c, b, 'hello'));
      network.run(1000);
      const source = new Uint8Array(a.address.bytes);
      for (let i = 0; i < 2000; i++) {
        // Each from somebody else.
        source.set([i >> 8, i & 255], 4);
        a.sendInSession(b, relayPacket(source, network.nodes[place].address.bytes, garbage(1 + (i % 3))));
      }
      assert.equal(b.counters.relayHandshakeFlood, 1800, `to node ${place + 1}`);
      assert.equal(network.nodes[place].device.drops.malformed, 200);
      const before = c.counters.unauthenticated;
      a.sendInSession(b, relayPacket(source, c.address.bytes, garbage(4)));
      assert.equal(c.counters.unauthenticated, before + 1, 'data has no part in it');
      c.sendInSession(b, relayPacket(c.address.bytes, b.address.bytes, garbage(1)));
      assert.equal(b.counters.relayHandshakeFlood, 1800);
      network.run(1000);
      a.sendInSession(b, relayPacket(source, network.nodes[place].address.bytes, garbage(1)));
      assert.equal(b.counters.relayHandshakeFlood, 1800);
    }
  });

  it('has a few of the longest packets wait for a next hop that does not answer, and no more', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    a.sendPacket(packetBetween(a, b, 'hello'));
    b.cutFrom(c);
    const long = new Uint8Array(60_000).fill(9);
    long.set([4, 0, 0, 0]);
    for (let i = 0; i < 100; i++) a.sendInSession(b, relayPacket(a.address.bytes, c.address.bytes, long));
    // 4 of 60,088 bytes are a quarter of a mebibyte; without a bound in bytes 100 were 6 MB, for each next hop.
    assert.equal(b.device.drops['staged-too-many'], 96);
  });

  it('cannot replay a message that it relayed', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    a.sendPacket(packetBetween(a, c, 'once'));
    network.run(1000);
    const relayed = b.opened.filter((plaintext) => plaintext.length > 100 && plaintext[39] === 3).at(-1)!;
    b.sendInSession(c, relayed);
    assert.deepEqual(textsOf(c), ['once']);
    assert.deepEqual(countsOf(c), { unauthenticated: 1 });
  });
});

describe('the host', () => {
  it('cannot send relay packets, and does not count as busy for the messages of the mesh', () => {
    const network = TestNetwork.line(3);
    const [a, b] = network.nodes;
    a.sendPacket(datagramBetween(a, b, RELAY_PORT));
    assert.deepEqual(countsOf(a), { hostOnMeshPort: 1 });
    a.say('from the node', b);
    assert.deepEqual(b.heard, ['fd77::1: from the node']);
    assert.deepEqual(a.events, []);
    a.sendPacket(datagramBetween(a, b, 7077));
    assert.deepEqual(a.events, ['active 2']);
    assert.equal(b.delivered.length, 1);
  });

  it('is told once a second of whom there is data for, next hops included', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    for (let i = 0; i < 3; i++) {
      a.sendPacket(packetBetween(a, c, 'a'));
      network.run(500);
    }
    assert.deepEqual(a.events, ['active 3', 'active 2', 'active 3', 'active 2']);
    assert.deepEqual(b.events, ['active 3', 'active 3']);
    assert.deepEqual(c.events, []);
  });

  it('is told of a packet too long for relays what length is right, and the packet is dropped', () => {
    const network = TestNetwork.line(3);
    const [a, , c] = network.nodes;
    a.sendPacket(packetBetween(a, c, 'long', 1329));
    const [answer] = a.delivered;
    assert.deepEqual([answer[40], answer[41], (answer[46] << 8) | answer[47]], [2, 0, 1328]);
    assert.deepEqual(countsOf(a), { packetTooBig: 1 });
    assert.deepEqual(c.delivered, []);
    a.sendPacket(packetBetween(a, c, 'fits', 1328));
    network.run(1000);
    assert.deepEqual(textsOf(c), ['fits']);
  });

  it('has its large packets go over relays if their segments are short enough', () => {
    const network = TestNetwork.line(3);
    const [a, , c] = network.nodes;
    const large = (segmentSize: number): Uint8Array => {
      const packet = packetBetween(a, c, 'large', 40 + 8 + 20_000);
      packet[6] = UDP;
      return Uint8Array.of(1, 5, 48, 0, segmentSize & 255, segmentSize >> 8, 40, 0, 6, 0, ...packet);
    };
    a.sendLarge(large(1281));
    assert.deepEqual(countsOf(a), { packetTooBig: 1 });
    a.sendLarge(large(1280));
    network.run(1000);
    assert.equal(c.delivered.length, 16);
    a.sendLarge(large(1280));
    assert.equal(c.delivered.length, 32);
    assert.ok(c.delivered.every((packet, i) => i % 16 === 15 || packet.length === 1328));
  });
});

describe('an endpoint', () => {
  it('becomes a relayed one by a handshake over a relay only where there is none', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    const relayed = '[fd77::1]:7079';
    // c has not been told how to reach a, and a speaks first.
    const fresh = new TestNetwork(3);
    const [x, y, z] = fresh.nodes;
    for (const node of [x, z]) {
      y.speaksDirectly(node);
      node.speaksDirectly(y);
    }
    x.speaksOver(z, y);
    z.path.relay.setRoutes([{ destination: x.address, via: y.publicKey }]);
    x.sendPacket(packetBetween(x, z, 'hello'));
    assert.equal(z.endpointOf(x), relayed);
    assert.deepEqual(textsOf(z), ['hello']);
    // c knows a direct way to a: it answers over the relay, and stays.
    c.speaksDirectly(a);
    a.sendPacket(packetBetween(a, c, 'hello'));
    network.run(100);
    assert.equal(c.endpointOf(a), '192.0.2.1:51820');
    assert.deepEqual(textsOf(c), ['hello']);
    assert.deepEqual(countsOf(b), {});
  });

  it('that is relayed becomes direct by a message that came directly', () => {
    const network = TestNetwork.line(3);
    const [a, , c] = network.nodes;
    a.sendPacket(packetBetween(a, c, 'relayed'));
    network.run(100);
    assert.equal(c.endpointOf(a), '[fd77::1]:7079');
    a.speaksDirectly(c);
    a.sendPacket(packetBetween(a, c, 'direct'));
    assert.equal(c.endpointOf(a), '192.0.2.1:51820');
    assert.deepEqual(textsOf(c), ['relayed', 'direct']);
  });

  it('is not moved to the address of another node by who relays', () => {
    const network = TestNetwork.line(3);
    const [a, b, c] = network.nodes;
    b.path.relay.configure({ address: b.address, mayForward: false });
    a.sendPacket(packetBetween(a, c, 'hello'));
    const initiation = b.opened.find((plaintext) => plaintext[RELAY_HEADER_BYTES] === 1)!.slice();
    initiation[23] = 9;
    b.sendInSession(c, initiation);
    network.run(100);
    // It was authentic, but its way was not.
    assert.ok(c.device.findPeer(a.publicKey)!.rxBytes > 0);
    assert.equal(c.endpointOf(a), '[fd77::1]:7079');
  });

  it('in the mesh is one as others are while relaying is not configured', () => {
    const network = new TestNetwork(2);
    const [a, b] = network.nodes;
    assert.ok(!new TestNode(network, 3).path.relay.leadsTo(endpointOf(b.address, RELAY_PORT)));
    assert.ok(a.path.relay.leadsTo(endpointOf(b.address, RELAY_PORT)));
    assert.ok(!a.path.relay.leadsTo(endpointOf(b.address, 51_820)));
    assert.ok(!a.path.relay.leadsTo(endpointOf(addressFromBytes(new Uint8Array(16)), RELAY_PORT)));
    assert.ok(!a.path.relay.leadsTo(undefined));
  });
});

describe('an error of the kernel', () => {
  it('on the way to a direct peer is told once a second', () => {
    const network = TestNetwork.line(2);
    const [a, b] = network.nodes;
    a.sendPacket(packetBetween(a, b, 'hello'));
    a.cutFrom(b);
    a.events.length = 0;
    for (let i = 0; i < 10; i++) a.sendPacket(packetBetween(a, b, 'nobody'));
    assert.deepEqual(a.events, ['error 111 2']);
    network.run(1000);
    a.sendPacket(packetBetween(a, b, 'nobody'));
    assert.deepEqual(a.events.slice(0, 3), ['error 111 2', 'active 2', 'error 111 2']);
  });
});
