import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { formatAddress } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { NetworkForTesting } from './network-for-testing.ts';
import type { NodeView } from './node-interface.ts';

type Edge = readonly [number, number];

const line = (size: number): Edge[] => Array.from({ length: size - 1 }, (_, i) => [i, i + 1]);
const ring = (size: number): Edge[] => Array.from({ length: size }, (_, i) => [i, (i + 1) % size]);
function grid(width: number, height: number): Edge[] {
  const at = (x: number, y: number) => y * width + x;
  const edges: Edge[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x + 1 < width) edges.push([at(x, y), at(x + 1, y)]);
      if (y + 1 < height) edges.push([at(x, y), at(x, y + 1)]);
    }
  }
  return edges;
}

/** Nodes n0, n1, … of which those of an edge have a link to themselves. The relay tables are followed at every change. */
class Topology extends NetworkForTesting {
  readonly names: readonly string[];
  readonly #cut = new Set<string>();

  constructor(size: number, edges: readonly Edge[]) {
    super(identityPrimitives);
    this.names = Array.from({ length: size }, (_, i) => `n${i}`);
    this.isLost = (from, to) => this.#cut.has(`${from} ${to}`);
    this.onRelayRoutes = () => this.assertNoLoops();
    for (const [i, name] of this.names.entries()) {
      this.start(name, { links: edges.flatMap((edge, link) => (edge.includes(i) ? [link + 1] : [])) });
    }
  }

  cut(a: string, b: string): void {
    this.#cut.add(`${a} ${b}`).add(`${b} ${a}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  view(from: string, to: string): NodeView | undefined {
    const { nodeId } = this.node(to);
    return this.node(from)
      .status()
      .nodes.find((node) => node.nodeId === nodeId);
  }

  /** The hosts that a packet passes; it ends early where there is no way. */
  way(from: string, to: string): string[] {
    const view = this.view(from, to);
    if (view?.path.kind === 'direct') return [from, to];
    if (view?.path.kind !== 'relayed') return [from];
    return this.#follow(from, to);
  }

  isConnected(): boolean {
    return this.names.every((from) => this.names.every((to) => from === to || this.way(from, to).at(-1) === to));
  }

  /** @returns how long it took until `isTrue` */
  runUntil(isTrue: () => boolean, limit: Millis): number {
    const start = this.now;
    while (!isTrue()) {
      assert.ok(this.now - start < limit, `not within ${limit} ms`);
      this.runFor(millis(50));
    }
    return this.now - start;
  }

  assertNoLoops(): void {
    const names = this.names.filter((name) => this.isRunning(name));
    for (const to of names) for (const from of names) if (from !== to) this.#follow(from, to);
  }

  #follow(from: string, to: string): string[] {
    const destination = formatAddress(this.node(to).address);
    const way = [from];
    for (let at = from; at !== to;) {
      const via = this.device(at).relayRoutes.get(destination);
      const next = via === undefined ? undefined : this.hostWithKey(via);
      if (next === undefined || !this.isRunning(next)) return way;
      assert.ok(!way.includes(next), `a loop to ${to}: ${way.join(' ')} ${next}`);
      way.push(next);
      at = next;
    }
    return way;
  }
}

describe('nodes that do not all reach each other', () => {
  it('three in line: the ends talk through the middle within three seconds of the start', () => {
    const net = new Topology(3, line(3));
    const took = net.runUntil(() => net.isConnected(), seconds(3));
    assert.ok(took < 3000, `${took}`);
    net.sendData('n0', 'n2');
    net.runFor(millis(200));
    assert.deepEqual(
      net.delivered.map(({ host }) => host),
      ['n2'],
    );
    assert.deepEqual(net.deviceDrops, []);
  });

  for (const [name, size, edges] of [
    ['ten in line', 10, line(10)],
    ['ten in a ring', 10, ring(10)],
    ['sixteen in a grid', 16, grid(4, 4)],
  ] as const) {
    it(`${name}: all pairs have a way within 15 seconds, and packets arrive`, () => {
      const net = new Topology(size, edges);
      net.runUntil(() => net.isConnected(), seconds(15));
      for (const from of net.names) for (const to of net.names) if (from !== to) net.sendData(from, to);
      net.runFor(seconds(2));
      assert.equal(net.delivered.length, size * (size - 1));
      assert.deepEqual(net.deviceDrops, []);
    });
  }

  it('take the shorter way round a ring', () => {
    const net = new Topology(6, ring(6));
    net.runFor(seconds(10));
    assert.deepEqual(net.way('n0', 'n2'), ['n0', 'n1', 'n2']);
    assert.deepEqual(net.way('n0', 'n4'), ['n0', 'n5', 'n4']);
  });

  it('do not send through a node that refuses to relay', () => {
    const net = new NetworkForTesting(identityPrimitives);
    net.start('a', { links: [1, 4] });
    net.start('b', { links: [1, 2], mayRelay: false });
    net.start('c', { links: [2, 3] });
    net.start('d', { links: [3, 4] });
    net.runFor(seconds(10));
    const pathTo = (name: string) =>
      net
        .node('a')
        .status()
        .nodes.find(({ hostName }) => hostName === name)?.path;
    const path = pathTo('c');
    assert.ok(path?.kind === 'relayed' && path.via === 'd');
    assert.equal(pathTo('b')?.kind, 'direct');
  });
});

describe('the link in use of a ring', () => {
  /** Applications of n0 and n1 talk every 10 ms. */
  function talking(net: Topology, length: Millis): { sent: number; lost: number } {
    const before = net.delivered.length;
    const count = length / 10;
    for (let i = 0; i < count; i++) {
      net.sendData('n0', 'n1');
      net.sendData('n1', 'n0');
      net.runFor(millis(10));
    }
    net.runFor(millis(100));
    return { sent: 2 * count, lost: 2 * count - (net.delivered.length - before) };
  }

  for (const size of [4, 10]) {
    it(`is left within a second when it is cut, and taken again without loss when it heals (${size} nodes)`, () => {
      const net = new Topology(size, ring(size));
      net.runFor(seconds(20));
      assert.equal(talking(net, seconds(5)).lost, 0);
      assert.deepEqual(net.way('n0', 'n1'), ['n0', 'n1']);
      net.cut('n0', 'n1');
      talking(net, seconds(1));
      assert.deepEqual(net.way('n0', 'n1'), ['n0', ...net.names.slice(2).reverse(), 'n1']);
      assert.deepEqual(net.way('n1', 'n0'), ['n1', ...net.names.slice(2), 'n0']);
      assert.equal(talking(net, seconds(20)).lost, 0);
      net.heal();
      const { lost } = talking(net, seconds(20));
      assert.deepEqual(net.way('n0', 'n1'), ['n0', 'n1']);
      assert.deepEqual(net.way('n1', 'n0'), ['n1', 'n0']);
      assert.equal(lost, 0);
    });
  }

  it('is left at once when the kernel refuses to send on it', () => {
    const net = new Topology(4, ring(4));
    net.runFor(seconds(20));
    net.cut('n0', 'n1');
    const publicKey = net.view('n0', 'n1')?.wireGuardPublicKey;
    assert.ok(publicKey);
    net.handle('n0', { kind: 'path-error', publicKey });
    const took = net.runUntil(() => net.way('n0', 'n1').length === 4, seconds(1));
    assert.ok(took <= 400, `${took}`);
  });

  it('is left within seconds of the first packet when it failed at rest', () => {
    const net = new Topology(4, ring(4));
    net.runFor(seconds(120));
    net.cut('n0', 'n1');
    assert.ok(talking(net, seconds(3)).lost <= 2 * 100);
  });
});

describe('a node killed in the middle of a line of traffic', () => {
  it('is gone round within a second, and has its part again when it is back', () => {
    const net = new Topology(6, [...line(5), [0, 5], [5, 4]]);
    net.runFor(seconds(20));
    net.sendData('n0', 'n4');
    net.runFor(seconds(2));
    assert.deepEqual(net.way('n0', 'n4'), ['n0', 'n5', 'n4']);
    net.kill('n5');
    for (let i = 0; i < 100; i++) {
      net.sendData('n0', 'n4');
      net.runFor(millis(10));
    }
    assert.deepEqual(net.way('n0', 'n4'), ['n0', 'n1', 'n2', 'n3', 'n4']);
  });
});
