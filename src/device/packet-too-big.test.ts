import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RELAY_HEADER_BYTES } from '../packet/index.ts';
import { paddedLength, TAG, TRANSPORT_HEADER } from '../wireguard/index.ts';
import { mayBeFragmented, relayedMtu } from './packet-too-big.ts';

/** How long a datagram for a packet of `length` bytes is. */
function sealed(length: number, mtu: number): number {
  return TRANSPORT_HEADER + paddedLength(length, mtu) + TAG;
}

describe('the MTU of what goes over relays', () => {
  it('is 1328 where the interface has 1420, and never less than IPv6 needs', () => {
    assert.deepEqual([1420, 1400, 1384, 1280, 9000].map(relayedMtu), [1328, 1312, 1296, 1280, 8912]);
  });

  it('is such that relayed datagrams are no longer than direct ones, and could hardly be more', () => {
    for (let mtu = 1372; mtu < 9100; mtu++) {
      const relayed = (length: number): number => sealed(RELAY_HEADER_BYTES + sealed(length, mtu), mtu);
      assert.ok(relayed(relayedMtu(mtu)) <= sealed(mtu, mtu), String(mtu));
      assert.ok(relayed(relayedMtu(mtu) + 16) > sealed(mtu, mtu), String(mtu));
    }
  });
});

describe('fragmentation on the way', () => {
  it('is for IPv4 without "don\'t fragment"', () => {
    const packet = new Uint8Array(40);
    packet[0] = 0x45;
    assert.ok(mayBeFragmented(packet, 0));
    packet[6] = 0x40;
    assert.ok(!mayBeFragmented(packet, 0));
    packet[0] = 0x60;
    packet[6] = 0;
    assert.ok(!mayBeFragmented(packet, 0));
  });
});
