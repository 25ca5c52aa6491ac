import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressFromBytes, type IpAddress } from '../inet/index.ts';
import { InvalidConfigurationError, type Peer } from '../wireguard/index.ts';
import { RelayTable } from './relay-table.ts';

function meshAddress(index: number): IpAddress {
  return addressFromBytes(Uint8Array.of(0xfd, 0x77, ...new Array<number>(12).fill(1), index >> 8, index & 255));
}

function keyOf(name: number): Uint8Array {
  return new Uint8Array(32).fill(name);
}

/** A table whose peers are named by the first byte of their keys. */
function newTable(peers = new Set([1, 2])) {
  const known = new Map<number, Peer>();
  const table = new RelayTable(([name]) => {
    if (!peers.has(name)) return undefined;
    const peer = known.get(name) ?? ({ publicKey: keyOf(name) } as Peer);
    known.set(name, peer);
    return peer;
  });
  const lookup = (index: number): number | undefined => {
    const packet = new Uint8Array(40).fill(0x60, 0, 1);
    packet.set(meshAddress(index).bytes, 24);
    return table.lookup(packet, 0)?.publicKey[0];
  };
  const set = (index: number, via?: number): void =>
    table.change([{ destination: meshAddress(index), via: via === undefined ? undefined : keyOf(via) }]);
  return { table, peers, lookup, set };
}

describe('relay routes', () => {
  it('lead to the neighbour that was set last, until they are taken away', () => {
    const { lookup, set } = newTable();
    assert.equal(lookup(7), undefined);
    set(7, 1);
    set(8, 1);
    assert.deepEqual([lookup(7), lookup(8), lookup(9)], [1, 1, undefined]);
    set(7, 2);
    assert.deepEqual([lookup(7), lookup(8)], [2, 1]);
    set(7);
    set(7);
    assert.deepEqual([lookup(7), lookup(8)], [undefined, 1]);
    set(8);
    set(7, 1);
    assert.deepEqual([lookup(7), lookup(8)], [1, undefined]);
  });

  it('wait for a neighbour that is no peer yet, and for one that went', () => {
    const { table, peers, lookup, set } = newTable(new Set());
    set(7, 1);
    assert.equal(lookup(7), undefined);
    peers.add(1);
    table.findPeers();
    assert.equal(lookup(7), 1);
    peers.delete(1);
    table.findPeers();
    assert.equal(lookup(7), undefined);
  });

  it('are refused all together if one is outside the mesh, or if they are too many', () => {
    const { table, lookup } = newTable();
    const good = { destination: meshAddress(7), via: keyOf(1) };
    const outside = { destination: addressFromBytes(new Uint8Array(16)), via: keyOf(1) };
    assert.throws(() => table.change([good, outside]), InvalidConfigurationError);
    assert.throws(() => table.change(new Array<typeof good>(16_385).fill(good)), InvalidConfigurationError);
    assert.equal(lookup(7), undefined);
  });

  it('agree with a map, whatever is changed', () => {
    const { lookup, set } = newTable();
    const map = new Map<number, number>();
    for (let i = 0; i < 20_000; i++) {
      const index = (i * 7919) % 300;
      const via = (i * 104_729) % 3;
      set(index, via === 0 ? undefined : via);
      if (via === 0) map.delete(index);
      else map.set(index, via);
    }
    for (let index = 0; index < 300; index++) assert.equal(lookup(index), map.get(index));
  });
});
