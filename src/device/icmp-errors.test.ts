import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../inet/index.ts';
import { TestNetwork, type TestNode } from './relay-network-for-testing.ts';

const ICMP = 1;
const UDP = 17;
const ICMPV6 = 58;

/** As much of a packet as an error needs to quote. */
function quote(from: string, to: string): Uint8Array {
  const [source, destination] = [parseAddress(from)!, parseAddress(to)!];
  const packet = new Uint8Array(source.family === 4 ? 28 : 48);
  if (source.family === 4) {
    packet.set([0x45, 0, 0, packet.length, 0, 0, 0, 0, 64, UDP]);
    packet.set(source.bytes, 12);
    packet.set(destination.bytes, 16);
  } else {
    packet.set([0x60, 0, 0, 0, 0, 8, UDP, 64]);
    packet.set(source.bytes, 8);
    packet.set(destination.bytes, 24);
  }
  return packet;
}

/** An error of `type` about `quoted`. */
function error(from: string, to: string, type: number, quoted: Uint8Array): Uint8Array {
  const header = quote(from, to).subarray(0, from.includes(':') ? 40 : 20);
  const packet = new Uint8Array([...header, type, 0, 0, 0, 0, 0, 0, 0, ...quoted]);
  if (from.includes(':')) packet.set([0, packet.length - 40, ICMPV6], 4);
  else packet.set([0, packet.length], 2);
  if (!from.includes(':')) packet[9] = ICMP;
  return packet;
}

/** A gateway for 10.0.0.0/8 and 2001:db8::/32, a client, another peer of the client; sessions among them. */
function mesh(): { gateway: TestNode; client: TestNode; other: TestNode } {
  const network = new TestNetwork(3);
  const [gateway, client, other] = network.nodes;
  for (const node of [gateway, other]) {
    client.speaksDirectly(node);
    node.speaksDirectly(client);
    node.say('hello', client);
  }
  const networks = ['10.0.0.0/8', '2001:db8::/32'].map((text) => parsePrefix(text)!);
  client.setPeer(gateway, { acceptFrom: networks });
  client.setPeer(other, { allowedIps: [{ prefix: parsePrefix('192.0.2.3/32')! }] });
  client.forget();
  return { gateway, client, other };
}

describe('an ICMP error out of the tunnel', () => {
  it('gets to the host if it is about a packet to somewhere that the peer may send from', () => {
    const { gateway, client } = mesh();
    const errors = [
      error('fd77::1', 'fd77::2', 1, quote('fd77::2', 'fd77::1')),
      error('fd77::1', 'fd77::2', 2, quote('fd77::2', '2001:db8::9')),
      error('2001:db8::1', 'fd77::2', 3, quote('fd77::2', '2001:db8::9')),
      error('10.0.0.1', '10.9.9.9', 3, quote('10.9.9.9', '10.0.0.7')),
      error('10.0.0.1', '10.9.9.9', 11, quote('10.9.9.9', '10.0.0.7')),
    ];
    for (const packet of errors) gateway.sendInSession(client, packet);
    assert.equal(client.delivered.length, errors.length);
    assert.equal(client.counters.errorAboutOthers, 0);
  });

  it('is dropped if it is about a packet to somebody else, whose connections it would end or slow down', () => {
    const { gateway, client, other } = mesh();
    const lies: [TestNode, Uint8Array][] = [
      [other, error('fd77::3', 'fd77::2', 1, quote('fd77::2', 'fd77::1'))],
      [other, error('fd77::3', 'fd77::2', 2, quote('fd77::2', '2001:db8::9'))],
      [other, error('192.0.2.3', '10.9.9.9', 3, quote('10.9.9.9', '10.0.0.7'))],
      [gateway, error('2001:db8::1', 'fd77::2', 2, quote('fd77::2', 'fd77::3'))],
      [gateway, error('10.0.0.1', '10.9.9.9', 3, quote('10.9.9.9', '192.0.2.3'))],
      // Too little of a packet to say which.
      [other, error('fd77::3', 'fd77::2', 1, quote('fd77::2', 'fd77::3').subarray(0, 30))],
      [other, error('fd77::3', 'fd77::2', 1, quote('10.9.9.9', '192.0.2.3'))],
    ];
    for (const [from, packet] of lies) from.sendInSession(client, packet);
    assert.deepEqual(client.delivered, []);
    assert.equal(client.counters.errorAboutOthers, lies.length);
  });

  it('is told from an echo, and from what only looks like one behind a fragment', () => {
    const { gateway, client } = mesh();
    const echo = error('fd77::1', 'fd77::2', 128, quote('fd77::2', 'fd77::3'));
    const fragment = error('10.0.0.1', '10.9.9.9', 3, quote('10.9.9.9', '192.0.2.3'));
    fragment[7] = 9;
    for (const packet of [echo, fragment]) gateway.sendInSession(client, packet);
    assert.equal(client.delivered.length, 2);
  });
});
