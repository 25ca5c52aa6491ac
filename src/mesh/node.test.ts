import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { endpointOf, parseAddress, type Endpoint, type IpAddress } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { fromHex } from './hex.ts';
import { NetworkForTesting, PORT, type HostOptions } from './network-for-testing.ts';

function network(): NetworkForTesting {
  return new NetworkForTesting(identityPrimitives);
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  assert.ok(parsed);
  return parsed;
}

/** On no link, with an address of the routed network. */
function routed(last: number, bootstrap: readonly number[] = []): HostOptions {
  const at = (n: number) => address(`192.0.2.${n}`);
  return { links: [], addresses: [at(last)], bootstrap: bootstrap.map((n) => endpointOf(at(n), PORT)) };
}

function drops(sim: NetworkForTesting, name: string): Readonly<Record<string, number>> {
  return sim.node(name).status().drops;
}

describe('three nodes on one link', () => {
  it('find each other by beacons and are all connected within a second', () => {
    const sim = network();
    for (const name of ['a', 'b', 'c']) sim.start(name);
    sim.runFor(seconds(1));
    assert.deepEqual(sim.up('a'), ['b', 'c']);
    assert.deepEqual(sim.up('b'), ['a', 'c']);
    assert.deepEqual(sim.up('c'), ['a', 'b']);
    const [view] = sim.node('a').status().nodes;
    assert.equal(view.foundBy, 'beacon');
    assert.ok(view.lastHandshakeAt !== undefined && view.endpoint !== undefined);
    assert.equal(view.roundTripTime, 10);
    assert.deepEqual(
      sim.eventsOf('c').filter((event) => event.endsWith(' a')),
      ['found a', 'trusted a', 'tunnel-up a'],
    );
  });

  it('stay connected through refreshed descriptions, without a word to the administrator', () => {
    const sim = network();
    for (const name of ['a', 'b', 'c']) sim.start(name);
    sim.runFor(seconds(10));
    const before = sim.events.length;
    const { sequence } = sim.node('a').status().self;
    sim.runFor(seconds(9 * 3600));
    assert.deepEqual(
      sim.events.slice(before).map(({ host, event }) => `${host}: ${event.kind} ${event.hostName}`),
      [],
    );
    assert.deepEqual(sim.up('a'), ['b', 'c']);
    assert.ok(sim.node('a').status().self.sequence > sequence);
    assert.equal(
      sim
        .node('b')
        .status()
        .nodes.find(({ hostName }) => hostName === 'a')?.sequence,
      sim.node('a').status().self.sequence,
    );
  });

  it('lose a node that goes silent after 15 seconds, and have it back at its next beacon', () => {
    const sim = network();
    for (const name of ['a', 'b']) sim.start(name);
    sim.runFor(seconds(10));
    const cut = sim.now;
    sim.isLost = () => true;
    sim.runFor(seconds(21));
    assert.deepEqual(sim.up('a'), []);
    const lost = sim.events.find(({ event }) => event.kind === 'lost');
    assert.ok(lost !== undefined && lost.at - cut >= 15_000 && lost.at - cut <= 20_100, `${lost?.at}`);
    assert.equal(sim.node('a').status().nodes[0].state, 'lost');
    sim.runFor(seconds(600));
    sim.isLost = () => false;
    sim.runFor(seconds(16));
    assert.deepEqual(sim.up('a'), ['b']);
    assert.deepEqual(sim.up('b'), ['a']);
  });

  it('keep their tunnels where one datagram in five is lost', () => {
    const sim = network();
    // Not by a pattern, which would be in step with probes at some time.
    let state = 1;
    sim.isLost = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) < 2 ** 32 / 5;
    for (const name of ['a', 'b', 'c']) sim.start(name);
    sim.runFor(seconds(1800));
    for (const name of ['a', 'b', 'c']) assert.equal(sim.up(name).length, 2);
    assert.ok(!sim.events.some(({ event }) => event.kind === 'lost'));
  });

  it('hear of a clean shutdown at once', () => {
    const sim = network();
    for (const name of ['a', 'b', 'c']) sim.start(name);
    sim.runFor(seconds(5));
    sim.handle('c', { kind: 'leave' });
    sim.kill('c');
    sim.runFor(millis(10));
    assert.equal(sim.eventsOf('a').at(-1), 'left c');
    assert.deepEqual(sim.up('a'), ['b']);
    sim.runFor(seconds(60));
    sim.start('c');
    sim.runFor(seconds(2));
    assert.deepEqual(sim.up('a'), ['b', 'c']);
  });
});

describe('nodes that know one other node only', () => {
  it('are found through gossip by all the others', () => {
    const sim = network();
    // a, b and c share a link; d and e have been told of c alone.
    for (const [name, last] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const) {
      sim.start(name, { ...routed(last), links: [1] });
    }
    sim.start('d', routed(4, [3]));
    sim.start('e', routed(5, [3]));
    sim.runFor(seconds(5));
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      assert.deepEqual(
        sim.up(name),
        ['a', 'b', 'c', 'd', 'e'].filter((other) => other !== name),
      );
    }
    const found = new Map(
      sim
        .node('d')
        .status()
        .nodes.map(({ hostName, foundBy }) => [hostName, foundBy]),
    );
    assert.deepEqual([found.get('c'), found.get('a')], ['bootstrap', 'gossip']);
  });

  it('reach a bootstrap node that starts an hour after them within its back-off', () => {
    const sim = network();
    sim.start('a', routed(1, [3]));
    sim.start('b', routed(2, [3]));
    sim.runFor(seconds(3600));
    assert.deepEqual(sim.up('a'), []);
    sim.start('c', routed(3));
    sim.runFor(seconds(70));
    assert.deepEqual(sim.up('a'), ['b', 'c']);
    assert.deepEqual(sim.up('b'), ['a', 'c']);
  });

  it('survive a bootstrap list that names themselves', () => {
    const sim = network();
    for (const last of [1, 2, 3]) sim.start(`n${last}`, routed(last, [1, 2, 3]));
    sim.runFor(seconds(5));
    assert.deepEqual(sim.up('n1'), ['n2', 'n3']);
    assert.ok(!sim.events.some(({ event }) => event.kind === 'identity-contradiction'));
  });

  it('try the endpoints of a description until one answers', () => {
    const sim = network();
    sim.start('a', routed(1));
    // b says that it has two addresses; the first leads nowhere.
    sim.start('b', { ...routed(2, [1]), addresses: [address('192.0.2.2')] });
    const own = (texts: string[]) => texts.map((text) => endpointOf(address(text), PORT));
    sim.handle('b', { kind: 'own-endpoints', endpoints: own(['198.51.100.9', '192.0.2.2']) });
    sim.runFor(seconds(5));
    sim.start('c', routed(3, [1]));
    sim.runFor(seconds(3));
    assert.deepEqual(sim.up('c'), ['a', 'b']);
  });
});

describe('a node that is killed and started again', () => {
  const lives: [string, (sim: NetworkForTesting) => HostOptions][] = [
    ['with its state', () => ({})],
    ['with its sequence number lost', () => ({ storedSequence: 0 })],
    [
      'with its sequence number lost and a clock that went back',
      (sim) => ({
        storedSequence: 0,
        unixTime: () => millis(sim.unixTime() - 3_600_000),
      }),
    ],
    ['with another WireGuard key', () => ({ wireGuardPrivateKey: new Uint8Array(32).fill(9) })],
  ];
  for (const [how, options] of lives) {
    it(`${how}, is connected again within seconds, and nobody else is touched`, () => {
      const sim = network();
      for (const name of ['a', 'b', 'c']) sim.start(name);
      sim.runFor(seconds(60));
      const before = sim.events.length;
      sim.kill('b');
      sim.runFor(seconds(2));
      sim.start('b', options(sim));
      sim.runFor(seconds(8));
      assert.deepEqual(sim.up('a'), ['b', 'c']);
      assert.deepEqual(sim.up('b'), ['a', 'c']);
      const told = sim.events.slice(before).filter(({ host, event }) => host !== 'b' && event.hostName !== 'b');
      assert.deepEqual(told, []);
      sim.runFor(seconds(60));
      assert.deepEqual(sim.up('a'), ['b', 'c']);
      assert.deepEqual(sim.up('c'), ['a', 'b']);
      const view = sim
        .node('a')
        .status()
        .nodes.find(({ hostName }) => hostName === 'b');
      assert.equal(view?.sequence, sim.node('b').status().self.sequence);
    });
  }

  it('learns again at once of those it was not told of, from neighbours that did not notice', () => {
    const sim = network();
    sim.start('a', routed(1, [2]));
    sim.start('b', routed(2));
    sim.start('c', routed(3, [2]));
    sim.runFor(seconds(1.5));
    assert.deepEqual(sim.up('a'), ['b', 'c']);
    sim.kill('a');
    sim.start('a', routed(1, [2]));
    sim.runFor(seconds(3));
    assert.deepEqual(sim.up('a'), ['b', 'c']);
  });

  it('is found again where only others had been told of it', () => {
    const sim = network();
    sim.start('hub', routed(1));
    sim.start('a', routed(2, [1]));
    sim.start('b', routed(3, [1]));
    sim.runFor(seconds(10));
    sim.kill('hub');
    sim.runFor(seconds(30));
    sim.start('hub', routed(1));
    sim.runFor(seconds(20));
    assert.deepEqual(sim.up('hub'), ['a', 'b']);
  });
});

describe('trust', () => {
  it('keeps a node that is not pinned outside and reports it once', () => {
    const sim = network();
    const b = sim.start('b');
    const a = sim.start('a', { trust: { mode: 'pinned', nodeIds: new Set([b.nodeId]) } });
    sim.start('c', { hostName: 'c\u001b[31m\u202e' });
    sim.runFor(seconds(120));
    assert.deepEqual(sim.up('a'), ['b']);
    const refused = sim.events.filter(({ host, event }) => host === 'a' && event.kind === 'refused');
    assert.deepEqual(
      refused.map(({ event }) => [event.hostName, event.reason]),
      [['c?[31m?', 'its node id is not pinned']],
    );
    assert.equal(a.status().nodes.length, 1);
  });

  it('does not fetch the description of a refused node again and again', () => {
    const sim = network();
    sim.start('a', { trust: { mode: 'pinned', nodeIds: new Set() } });
    sim.start('b');
    sim.runFor(seconds(600));
    const requests = sim.sent.filter(({ host, datagram }) => host === 'a' && datagram[2] === 2);
    assert.ok(requests.length <= 3, `${requests.length} requests`);
  });

  it('lets two meshes share a link without knowing of each other', () => {
    const sim = network();
    for (const name of ['a', 'b']) sim.start(name);
    for (const name of ['x', 'y']) sim.start(name, { meshName: 'another' });
    sim.runFor(seconds(20));
    assert.deepEqual(sim.up('a'), ['b']);
    assert.deepEqual(sim.up('x'), ['y']);
    assert.equal(sim.node('a').status().nodes.length, 1);
    assert.ok(drops(sim, 'a')['foreign-mesh'] >= 4);
  });
});

describe('what a node wants configured', () => {
  it('is one peer with exactly the address of the other node, then its endpoint, and nothing twice', () => {
    const sim = network();
    sim.start('a');
    const b = sim.start('b');
    sim.runFor(seconds(600));
    const publicKey = fromHex(sim.device('b').key);
    assert.deepEqual(sim.configured('a'), [
      { publicKey, replaceAllowedIps: true, allowedIps: [{ prefix: { address: b.address, length: 128 } }] },
      { publicKey, updateOnly: true, endpoint: sim.linkLocalEndpoint('b') },
    ]);
  });
});

describe('the sequence number', () => {
  it('is stored before the first datagram that uses it', () => {
    const sim = network();
    sim.start('a');
    const { sequence } = sim.node('a').status().self;
    assert.equal(sim.storedSequences.get('a'), sequence);
    const endpoint: Endpoint = endpointOf(address('192.0.2.77'), PORT);
    sim.runFor(seconds(3));
    sim.handle('a', { kind: 'own-endpoints', endpoints: [endpoint] });
    sim.runFor(seconds(3));
    assert.ok(sim.node('a').status().self.sequence > sequence);
    assert.equal(sim.storedSequences.get('a'), sim.node('a').status().self.sequence);
  });
});
