import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../../crypto/node.ts';
import { endpointOf, parseAddress, type IpAddress } from '../../inet/index.ts';
import { millis, seconds } from '../../machine/index.ts';
import { toHex } from '../hex.ts';
import { NetworkForTesting, PORT } from '../network-for-testing.ts';
import { MAX_MEMORY_BYTES, readMemory, writeMemory, type Memory } from './format.ts';

const BOOTSTRAP = [endpointOf(address('192.0.2.1'), PORT)];

function address(text: string): IpAddress {
  return parseAddress(text) as IpAddress;
}

function memoryOf(count: number, descriptionBytes: number): Memory {
  const nodes = Array.from({ length: count }, (_, i) => ({
    nodeId: toHex(Uint8Array.from({ length: 28 }, (_byte, k) => (k === 27 ? i & 0xff : k === 26 ? i >> 8 : k))),
    sequence: 1_800_000_000_000 + i,
    description: new Uint8Array(descriptionBytes).fill(i),
    endpoints: [endpointOf(address('198.51.100.7'), 1000 + i), endpointOf(address('2001:db8::7'), PORT)],
  }));
  return { meshName: 'home', nodes, called: BOOTSTRAP };
}

/** Two nodes that have nothing in common but a bootstrap host, which is gone by now, as the two are. */
function afterAPowerCut(remembers: boolean): NetworkForTesting {
  const net = new NetworkForTesting(identityPrimitives);
  net.remembers = remembers;
  net.start('boot', { links: [], addresses: [address('192.0.2.1')] });
  for (const [name, own] of places) net.start(name, { links: [], addresses: [address(own)], bootstrap: BOOTSTRAP });
  net.runFor(seconds(90));
  assert.deepEqual(net.up('a'), ['b', 'boot']);
  for (const name of ['boot', 'a', 'b']) net.kill(name);
  return net;
}

const places = [
  ['a', '192.0.2.2'],
  ['b', '192.0.2.3'],
] as const;

describe('the memory of a node', () => {
  it('is read as it was written', () => {
    const memory = memoryOf(3, 400);
    assert.deepEqual(readMemory(writeMemory(memory, identityPrimitives), identityPrimitives), memory);
  });

  it('is not believed when it is cut off or has a wrong bit', () => {
    const bytes = writeMemory(memoryOf(2, 50), identityPrimitives);
    for (let i = 0; i < bytes.length; i++) {
      assert.equal(readMemory(bytes.subarray(0, i), identityPrimitives), undefined);
      const damaged = Uint8Array.from(bytes);
      damaged[i] ^= 1 << (i % 8);
      assert.equal(readMemory(damaged, identityPrimitives), undefined, `byte ${i}`);
    }
  });

  it('has a bounded size, and keeps the sequence number of every node where there is no room for more', () => {
    const bytes = writeMemory(memoryOf(10_000, 4096), identityPrimitives);
    assert.ok(bytes.length <= MAX_MEMORY_BYTES, `${bytes.length}`);
    const nodes = readMemory(bytes, identityPrimitives)?.nodes ?? [];
    assert.equal(nodes.length, 10_000);
    assert.equal(nodes.at(-1)?.sequence, 1_800_000_009_999);
    assert.ok(nodes[0].description !== undefined && nodes[9_999].description === undefined);
  });
});

describe('two nodes that start again while the bootstrap host is gone', () => {
  it('find each other where they were', () => {
    const net = afterAPowerCut(true);
    for (const [name, own] of places) net.start(name, { links: [], addresses: [address(own)], bootstrap: BOOTSTRAP });
    net.runFor(seconds(10));
    assert.deepEqual(net.up('a'), ['b']);
    assert.deepEqual(net.up('b'), ['a']);
    assert.deepEqual(net.bootstrapStates, ['a 192.0.2.1 silent', 'b 192.0.2.1 silent']);
  });

  it('find each other though what they had signed has expired', () => {
    const net = afterAPowerCut(true);
    const unixTime = () => millis(net.unixTime() + 3 * 24 * 3_600_000);
    for (const [name, own] of places) {
      net.start(name, { links: [], addresses: [address(own)], bootstrap: BOOTSTRAP, unixTime });
    }
    net.runFor(seconds(10));
    assert.deepEqual(net.up('a'), ['b']);
  });

  it('find nobody without what they kept', () => {
    const net = afterAPowerCut(false);
    for (const [name, own] of places) net.start(name, { links: [], addresses: [address(own)], bootstrap: BOOTSTRAP });
    net.runFor(seconds(120));
    assert.deepEqual(net.up('a'), []);
  });

  it('do not know each other if the file is of another mesh, or damaged', () => {
    const net = afterAPowerCut(true);
    const damaged = Uint8Array.from(net.storedMemories.get('a') ?? []);
    damaged[100] ^= 1;
    const host = { links: [], addresses: [address('192.0.2.2')] };
    assert.deepEqual(net.start('a', { ...host, memory: damaged }).status().nodes, []);
    assert.deepEqual(net.start('a', { ...host, meshName: 'other' }).status().nodes, []);
    assert.equal(net.start('a', host).status().nodes.length, 2);
  });
});

describe('a description that was superseded before a restart', () => {
  it('is not believed after it, and its node, if it is its own that it lost, learns what it must exceed', () => {
    const net = new NetworkForTesting(identityPrimitives);
    net.remembers = true;
    net.start('a');
    net.start('c');
    net.runFor(seconds(90));
    const { sequence } = net.node('c').status().self;
    net.kill('a');
    net.kill('c');
    const lost = { storedSequence: 0, unixTime: () => millis(net.unixTime() - 3_600_000) };
    const accepted: number[] = [];
    net.start('a', { memory: withoutDescriptions(net.storedMemories.get('a')) });
    net.start('c', lost);
    for (let i = 0; i < 100; i++) {
      net.runFor(millis(200));
      accepted.push(
        ...net
          .node('a')
          .status()
          .nodes.map((node) => node.sequence),
      );
    }
    assert.ok(accepted.length > 0);
    assert.ok(accepted.every((number) => number > sequence));
    assert.deepEqual(net.up('a'), ['c']);
  });
});

describe('what is stored', () => {
  it('is written seldom: once when somebody is found, and when the node leaves if something is new', () => {
    const net = new NetworkForTesting(identityPrimitives);
    let writes = 0;
    net.storedMemories.set = (...entry) => (writes++, Map.prototype.set.call(net.storedMemories, ...entry));
    net.start('a');
    net.start('b');
    net.runFor(seconds(3600));
    net.handle('a', { kind: 'leave' });
    assert.ok(writes >= 2 && writes <= 4, `${writes}`);
  });

  it('is nothing where nobody was found', () => {
    const net = new NetworkForTesting(identityPrimitives);
    net.start('a');
    net.runFor(seconds(3600));
    net.handle('a', { kind: 'leave' });
    assert.equal(net.storedMemories.size, 0);
  });
});

/** As of a mesh that was too large. */
function withoutDescriptions(bytes: Uint8Array | undefined): Uint8Array {
  const memory = readMemory(bytes ?? new Uint8Array(), identityPrimitives);
  assert.ok(memory !== undefined);
  const nodes = memory.nodes.map((node) => ({ ...node, description: undefined }));
  return writeMemory({ ...memory, nodes }, identityPrimitives);
}
