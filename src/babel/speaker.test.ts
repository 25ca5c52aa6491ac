import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPrefix, type Prefix } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { INFINITE } from './constants.ts';
import { readPacket } from './packet-reader.ts';
import { BabelNetworkForTesting, prefixForTesting, type LinkOptions } from './network-for-testing.ts';

const WIDE = prefixForTesting('2001:db8:7::/48');

/** Nodes n0, n1, … joined as `edges` say; loops are watched for from the first packet on. */
function network(size: number, edges: readonly (readonly [number, number])[], options: LinkOptions = {}, seed = 1) {
  const net = new BabelNetworkForTesting(seed);
  for (let i = 0; i < size; i++) net.addNode(`n${i}`);
  const links = edges.map((edge) =>
    net.connect(
      edge.map((i) => `n${i}`),
      options,
    ),
  );
  net.check = () => net.assertNoLoops();
  return { net, links };
}

const line = (size: number) => Array.from({ length: size - 1 }, (_, i) => [i, i + 1] as const);
const ring = (size: number) => Array.from({ length: size }, (_, i) => [i, (i + 1) % size] as const);

function allConnected(net: BabelNetworkForTesting): boolean {
  const names = [...net.nodes.values()].filter(({ isRunning }) => isRunning).map(({ name }) => name);
  return names.every((from) => names.every((to) => Array.isArray(net.pathBetween(from, to))));
}

describe('two speakers', () => {
  it('learn each other’s prefix within two short Hello intervals, over a LAN and over a tunnel', () => {
    for (const discovery of ['multicast', 'unicast'] as const) {
      const { net } = network(2, [[0, 1]], { discovery });
      const took = net.runUntil(() => allConnected(net), seconds(2));
      assert.ok(took !== undefined, discovery);
      assert.deepEqual(net.pathBetween('n0', 'n1'), ['n0', 'n1']);
      const [neighbour] = net.node('n0').speaker.neighbours();
      assert.equal(neighbour.cost, 96);
    }
  });

  it('measure the delay between them', () => {
    const { net } = network(2, [[0, 1]], { delay: millis(30) });
    net.runFor(seconds(20));
    const { rtt } = net.node('n0').speaker.neighbours()[0];
    assert.ok(rtt !== undefined && rtt > 56 && rtt < 64, `${rtt}`);
  });

  it('lose each other’s prefix when the link is cut, and find it again', () => {
    const { net, links } = network(2, [[0, 1]]);
    net.runFor(seconds(20));
    links[0].isUp = false;
    const took = net.runUntil(() => net.pathBetween('n0', 'n1') === 'no way', seconds(15));
    assert.ok(took !== undefined && took > seconds(4));
    links[0].isUp = true;
    assert.ok(net.runUntil(() => allConnected(net), seconds(10)) !== undefined);
  });

  it('retract a prefix that is withdrawn, and hold it unreachable no longer than until that is acknowledged', () => {
    const { net } = network(3, line(3));
    net.act('n0', (speaker, now) => speaker.announce(WIDE, 0, now));
    net.runFor(seconds(5));
    const viaOf = (name: string) => net.node(name).routes.get(formatPrefix(WIDE))?.via;
    assert.equal(viaOf('n2'), 'n1');
    net.act('n0', (speaker, now) => speaker.withdraw(WIDE, now));
    assert.ok(net.runUntil(() => viaOf('n1') === 'unreachable', millis(100)) !== undefined);
    assert.ok(net.runUntil(() => viaOf('n1') === undefined && viaOf('n2') === undefined, seconds(1)) !== undefined);
  });

  it('say goodbye: all is gone within moments, though packets are lost', () => {
    const { net, links } = network(3, line(3));
    net.runFor(seconds(10));
    links[0].loss = 0.5;
    net.act('n1', (speaker, now) => speaker.stop(now));
    const gone = () => ['n0', 'n2'].every((name) => net.pathBetween(name, 'n1') === 'no way');
    assert.ok(net.runUntil(gone, seconds(3)) !== undefined);
    net.runFor(seconds(3));
    assert.ok(net.node('n1').speaker.hasLeft);
    assert.equal(net.node('n1').routes.size, 0);
  });
});

describe('a route that is not announced again in time', () => {
  it('is asked after before it expires', () => {
    const { net } = network(2, [[0, 1]]);
    net.runFor(seconds(10));
    let asked = 0;
    // No announcement comes by itself any longer.
    net.passes = (from, _to, packet) => {
      const kinds = readPacket(packet, net.node(from).linkLocal)?.tlvs.map(({ kind }) => kind) ?? [];
      if (kinds.includes('route-request')) asked += 1;
      return asked > 0 || !kinds.includes('update');
    };
    net.check = () => assert.ok(allConnected(net), `lost at ${net.now}`);
    net.runFor(seconds(80));
    assert.ok(asked > 0);
  });
});

describe('a grid of sixteen', () => {
  it('converges within two seconds', () => {
    const right = Array.from({ length: 16 }, (_, i) => [i, i + 1] as const).filter(([i]) => i % 4 < 3);
    const down = Array.from({ length: 12 }, (_, i) => [i, i + 4] as const);
    const { net } = network(16, [...right, ...down], { discovery: 'unicast', kind: 'tunnel', delay: millis(10) });
    const took = net.runUntil(() => allConnected(net), seconds(10));
    assert.ok(took !== undefined && took < 2000, `${took}`);
  });
});

describe('a line of ten', () => {
  it('converges within two seconds, and is quiet at rest', () => {
    const { net } = network(10, line(10));
    const took = net.runUntil(() => allConnected(net), seconds(10));
    assert.ok(took !== undefined && took < 2000, `${took}`);
    net.runFor(seconds(60));
    const before = net.bytes;
    net.runFor(seconds(60));
    const bitsPerSecond = ((net.bytes - before) * 8) / 60 / 10;
    assert.ok(bitsPerSecond < 1000, `${bitsPerSecond} bit/s a node`);
  });

  it('never counts to infinity: what is cut off is gone at once everywhere', () => {
    const { net } = network(10, line(10));
    net.runFor(seconds(10));
    net.kill('n0');
    net.act('n1', (speaker, now) => speaker.neighbourLost('link0', net.node('n0').linkLocal, now));
    const took = net.runUntil(() => net.pathBetween('n9', 'n0') === 'no way', seconds(5));
    assert.ok(took !== undefined && took < 1000, `${took}`);
    net.runFor(seconds(120));
    for (const { name } of net.nodes.values()) {
      if (name !== 'n0') assert.equal(net.pathBetween(name, 'n0'), 'no way');
    }
  });
});

describe('a ring', () => {
  it('goes round a cut as soon as the cut is known, and comes back after it is healed', () => {
    const { net, links } = network(6, ring(6));
    net.runFor(seconds(15));
    assert.deepEqual(net.pathBetween('n0', 'n1'), ['n0', 'n1']);
    links[0].isUp = false;
    net.act('n0', (speaker, now) => speaker.neighbourLost('link0', net.node('n1').linkLocal, now));
    net.act('n1', (speaker, now) => speaker.neighbourLost('link0', net.node('n0').linkLocal, now));
    const took = net.runUntil(() => allConnected(net), seconds(10));
    assert.ok(took !== undefined && took < 1000, `${took}`);
    assert.equal(net.pathBetween('n0', 'n1').length, 6);
    links[0].isUp = true;
    assert.ok(net.runUntil(() => net.pathBetween('n0', 'n1').length === 2, seconds(10)) !== undefined);
  });

  it('does not lose a packet’s way while the better path comes back', () => {
    const { net, links } = network(6, ring(6));
    links[0].isUp = false;
    net.runFor(seconds(15));
    links[0].isUp = true;
    net.check = () => assert.ok(allConnected(net));
    net.runFor(seconds(30));
    assert.deepEqual(net.pathBetween('n0', 'n1'), ['n0', 'n1']);
  });
});

describe('a route that has become unfeasible', () => {
  it('is made feasible again by a seqno request that others forward', () => {
    // RFC 8966 §2.6: n2 has announced S at distance 2; when that way is gone, the long way round is longer.
    const { net, links } = network(5, [
      [0, 1],
      [1, 2],
      [0, 3],
      [3, 4],
      [4, 2],
    ]);
    net.runFor(seconds(20));
    assert.deepEqual(net.pathBetween('n2', 'n0'), ['n2', 'n1', 'n0']);
    links[1].isUp = false;
    net.act('n2', (speaker, now) => speaker.neighbourLost('link1', net.node('n1').linkLocal, now));
    const took = net.runUntil(() => net.pathBetween('n2', 'n0').length === 4, seconds(10));
    assert.ok(took !== undefined && took < 1000, `${took}`);
  });

  it('is asked for again when the request is lost', () => {
    const { net, links } = network(4, [
      [0, 1],
      [1, 2],
      [0, 3],
      [3, 2],
    ]);
    net.runFor(seconds(20));
    let lost = 0;
    const SEQNO_REQUEST = 10;
    net.passes = (_from, _to, packet) =>
      !(packet.includes(SEQNO_REQUEST, 4) && packet[4] === SEQNO_REQUEST && lost++ < 1);
    const via = net.pathBetween('n2', 'n0')[1];
    const link = links[via === 'n1' ? 1 : 3];
    link.isUp = false;
    net.act('n2', (speaker, now) => speaker.neighbourLost(link.id, net.node(via).linkLocal, now));
    net.act(via, (speaker, now) => speaker.neighbourLost(link.id, net.node('n2').linkLocal, now));
    assert.ok(net.runUntil(() => allConnected(net), seconds(10)) !== undefined);
  });
});

describe('several routers with one prefix', () => {
  it('stand in for each other', () => {
    const { net } = network(5, line(5));
    for (const name of ['n0', 'n4']) net.act(name, (speaker, now) => speaker.announce(WIDE, 0, now));
    net.runFor(seconds(10));
    const viaOf = (name: string) => net.node(name).routes.get(formatPrefix(WIDE))?.via;
    assert.deepEqual(['n1', 'n3'].map(viaOf), ['n0', 'n4']);
    net.act('n4', (speaker, now) => speaker.stop(now));
    assert.ok(net.runUntil(() => viaOf('n3') === 'n2' && viaOf('n2') === 'n1', seconds(3)) !== undefined);
  });
});

describe('what is believed', () => {
  it('is for the caller to say, and to say again', () => {
    const { net } = network(3, line(3));
    const refuse = ({ prefix }: { prefix: Prefix }) => formatPrefix(prefix) !== formatPrefix(net.node('n0').prefix);
    net.act('n1', (speaker, now) => speaker.setFilter(refuse, now));
    net.runFor(seconds(10));
    assert.equal(net.pathBetween('n1', 'n0'), 'no way');
    assert.equal(net.pathBetween('n2', 'n0'), 'no way');
    assert.ok(Array.isArray(net.pathBetween('n0', 'n2')));
    net.act('n1', (speaker, now) => speaker.setFilter(() => true, now));
    assert.ok(net.runUntil(() => allConnected(net), seconds(2)) !== undefined);
    net.act('n1', (speaker, now) => speaker.setFilter(refuse, now));
    assert.ok(net.runUntil(() => net.pathBetween('n2', 'n0') === 'no way', seconds(2)) !== undefined);
  });
});

describe('a neighbour', () => {
  it('that is dearer is used last', () => {
    const { net } = network(
      4,
      [
        [0, 1],
        [1, 3],
        [0, 2],
        [2, 3],
      ],
      { discovery: 'unicast' },
    );
    net.act('n0', (speaker, now) => speaker.addNeighbour('link0', net.node('n1').linkLocal, now, 500));
    net.runFor(seconds(10));
    assert.deepEqual(net.pathBetween('n0', 'n3'), ['n0', 'n2', 'n3']);
    net.act('n0', (speaker, now) => speaker.addNeighbour('link0', net.node('n1').linkLocal, now, 0));
    net.act('n0', (speaker, now) => speaker.addNeighbour('link2', net.node('n2').linkLocal, now, 500));
    assert.ok(net.runUntil(() => net.pathBetween('n0', 'n3')[1] === 'n1', seconds(60)) !== undefined);
  });

  it('whose link trembles is left only for one that is better for long', () => {
    const edges = [
      [0, 1],
      [1, 3],
      [0, 2],
      [2, 3],
    ] as const;
    const { net } = network(4, edges, { discovery: 'unicast' });
    const setCosts = (first: number, second: number) => {
      net.act('n0', (speaker, now) => speaker.addNeighbour('link0', net.node('n1').linkLocal, now, first));
      net.act('n0', (speaker, now) => speaker.addNeighbour('link2', net.node('n2').linkLocal, now, second));
    };
    setCosts(0, 30);
    net.runFor(seconds(20));
    let ways = '';
    for (let i = 0; i < 60; i++) {
      setCosts(i % 2 === 0 ? 50 : 0, 30);
      net.runFor(seconds(1));
      ways += net.pathBetween('n0', 'n3')[1];
    }
    assert.equal(ways, 'n1'.repeat(60));
    setCosts(50, 30);
    assert.ok(net.runUntil(() => net.pathBetween('n0', 'n3')[1] === 'n2', seconds(30)) !== undefined);
  });

  it('that misses Hellos hears at once what it misses: an IHU goes with each of ours', () => {
    const { net, links } = network(2, [[0, 1]]);
    net.runFor(seconds(60));
    const count = (length: number) => {
      const counts = { hello: 0, ihu: 0 };
      net.passes = (from, _to, packet) => {
        const kinds = readPacket(packet, net.node(from).linkLocal)?.tlvs.map(({ kind }) => kind) ?? [];
        if (kinds.includes('hello')) counts.hello += 1;
        if (kinds.includes('ihu')) counts.ihu += 1;
        return true;
      };
      net.runFor(millis(length));
      return counts;
    };
    const calm = count(48_000);
    assert.ok(calm.ihu >= calm.hello / 3 - 1 && calm.ihu < calm.hello / 2, JSON.stringify(calm));
    links[0].loss = 0.3;
    net.runFor(seconds(20));
    links[0].loss = 0;
    const lossy = count(16_000);
    assert.equal(lossy.ihu, lossy.hello);
  });

  it('with a long delay is used last', () => {
    const net = new BabelNetworkForTesting();
    for (const name of ['a', 'b', 'c']) net.addNode(name);
    const rttCost = { min: millis(10), max: millis(120), maxPenalty: 150 };
    net.connect(['a', 'b'], { rttCost, kind: 'tunnel', delay: millis(150) });
    net.connect(['a', 'c'], { rttCost, kind: 'tunnel' });
    net.connect(['c', 'b'], { rttCost, kind: 'tunnel' });
    net.runFor(seconds(60));
    assert.deepEqual(net.pathBetween('a', 'b'), ['a', 'c', 'b']);
  });

  it('on a lossy wireless link costs what its loss makes it cost', () => {
    const net = new BabelNetworkForTesting();
    for (const name of ['a', 'b']) net.addNode(name);
    const link = net.connect(['a', 'b'], { kind: 'wireless' });
    net.runFor(seconds(40));
    assert.equal(net.node('a').speaker.neighbours()[0].cost, 256);
    link.loss = 0.3;
    net.runFor(seconds(60));
    const { cost } = net.node('a').speaker.neighbours()[0];
    assert.ok(cost > 256 && cost < INFINITE, `${cost}`);
  });
});
