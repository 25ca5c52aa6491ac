import assert from 'node:assert/strict';
import type { PathCounters } from '../../src/device/path-counters.ts';
import { TestNetwork, type TestNode } from '../../src/device/relay-network-for-testing.ts';
import {
  IPV6,
  RELAY_HEADER_BYTES,
  RELAY_PORT,
  RelayHeader,
  TUNNEL_PORT,
  tunnelMessage,
} from '../../src/packet/index.ts';
import type { Target } from './target.ts';

const UDP = 17;

/**
 * A neighbour, so somebody who is authenticated, sends a plaintext of any form to a relay: the host gets nothing but
 * packets of that neighbour, the next node nothing but relay packets, its host nothing at all. The node itself hears
 * messages of that neighbour alone.
 */
export function relayTarget(): Target {
  const network = TestNetwork.line(3);
  const [a, b, c] = network.nodes;
  // There are sessions from here on.
  a.sendPacket(ordinary(a, b));
  b.sendPacket(ordinary(b, c));
  const tired = relayPacket(a, c, 4);
  tired[IPV6.hopLimit] = 1;
  return {
    name: 'relay',
    share: 6,
    seeds: [
      ...[1, 4].flatMap((type) => [relayPacket(a, b, type), relayPacket(a, c, type)]),
      tired,
      ordinary(a, b),
      said(a, b),
      said(c, b),
    ],
    outcomes: [
      'delivered',
      'heard',
      'forwarded',
      'relayMalformed',
      'unauthenticated',
      'relayHopLimit',
      'relayNoRoute',
      'handed',
    ],
    run(plaintext) {
      for (const node of network.nodes) node.forget();
      const before = { ...b.counters };
      a.sendInSession(b, plaintext);
      assert.deepEqual(c.delivered, [], 'delivered behind the relay');
      for (const packet of b.delivered) {
        assert.equal(
          Buffer.compare(packet.subarray(8, 24), a.address.bytes),
          0,
          'delivered what is not the neighbour’s',
        );
        assert.ok(!isTo(RELAY_PORT, packet), 'delivered a relay packet');
        assert.ok(!isTo(TUNNEL_PORT, packet), 'delivered a tunnel message');
      }
      for (const packet of c.opened) assertForwarded(packet, plaintext);
      for (const heard of b.heard) assert.ok(heard.startsWith('fd77::1: '), 'heard somebody else');
      assert.deepEqual(c.heard, [], 'heard behind the relay');
      if (b.heard.length > 0) return 'heard';
      if (b.delivered.length > 0) return 'delivered';
      return c.opened.length > 0 ? 'forwarded' : (grown(before, b.counters) ?? 'handed');
    },
  };
}

/** It is a relay packet, as it came but for its hop limit. */
function assertForwarded(packet: Uint8Array, plaintext: Uint8Array): void {
  assert.ok(isTo(RELAY_PORT, packet) && packet[8] === 0xfd && packet[9] === 0x77, 'forwarded something else');
  assert.ok(packet[48] >= 1 && packet[48] <= 4, 'forwarded no message');
  const expected = plaintext.slice(0, packet.length);
  expected[7]--;
  assert.equal(Buffer.compare(packet.subarray(0, expected.length), expected), 0, 'forwarded other bytes');
}

function isTo(port: number, packet: Uint8Array): boolean {
  const isUdp = packet[0] >> 4 === 6 && packet[6] === UDP && packet.length >= 44;
  return isUdp && packet[24] === 0xfd && packet[25] === 0x77 && packet[42] * 256 + packet[43] === port;
}

function grown(before: PathCounters, after: PathCounters): string | undefined {
  return (Object.keys(before) as (keyof PathCounters)[]).find((reason) => after[reason] !== before[reason]);
}

function relayPacket(from: TestNode, to: TestNode, type: number): Uint8Array {
  const header = new RelayHeader(from.address.bytes);
  header.begin(to.address.bytes, 0);
  const packet = new Uint8Array(RELAY_HEADER_BYTES + 32);
  packet[RELAY_HEADER_BYTES] = type;
  header.write(packet, 0, 32, 0);
  return packet;
}

function said(from: TestNode, to: TestNode): Uint8Array {
  return tunnelMessage(Buffer.from('message'), from.address.bytes, to.address.bytes);
}

function ordinary(from: TestNode, to: TestNode): Uint8Array {
  const packet = new Uint8Array(48);
  packet.set([0x60, 0, 0, 0, 0, 8, UDP, 64]);
  packet.set(from.address.bytes, 8);
  packet.set(to.address.bytes, 24);
  packet.set([0, 9, 0, 9, 0, 8], 40);
  return packet;
}
