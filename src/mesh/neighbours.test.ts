import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { endpointOf, parseAddress } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { Candidates } from './endpoints.ts';
import { KnownNodes } from './known-nodes.ts';
import type { Wish } from './messages.ts';
import { chooseNeighbours, type Eligible } from './neighbour-choice.ts';
import { MAX_NEIGHBOURS, Neighbours } from './neighbours.ts';
import { NetworkForTesting, PORT } from './network-for-testing.ts';
import { NO_RELATION, type Relation } from './relation.ts';
import { Tunnel } from './tunnel.ts';

/** A node id, as random as a digest. */
function nodeIdOf(number: number): string {
  return (Math.imul(number + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
}

/** What both nodes compute alike. */
function orderOf(a: string, b: string): string {
  const [low, high] = [a, b].sort().map((id) => Number.parseInt(id, 16));
  return (Math.imul(low ^ (high >>> 3), 0x85ebca6b) >>> 0).toString(16).padStart(8, '0');
}

/** How many of `names` can be reached from the first, over neighbours. */
function reachable(names: readonly string[], neighboursOf: (name: string) => Iterable<string>): number {
  const seen = new Set([names[0]]);
  for (const name of seen) for (const next of neighboursOf(name)) seen.add(next);
  return seen.size;
}

function neighbours(net: NetworkForTesting, name: string): string[] {
  const { nodes } = net.node(name).status();
  return nodes.flatMap(({ isNeighbour, hostName }) => (isNeighbour ? [hostName] : []));
}

describe('the choice of neighbours', () => {
  function choose(links: ReadonlyMap<string, readonly number[]>): Map<string, Set<string>> {
    const neighbours = new Map(Array.from(links.keys(), (id) => [id, new Set<string>()]));
    for (const [own, ownLinks] of links) {
      const eligible = Array.from(links, ([nodeId, theirs]): Eligible => {
        const heardOn = theirs.filter((link) => ownLinks.includes(link));
        return { nodeId, order: orderOf(own, nodeId), heardOn, wasWanted: false };
      });
      const heard = eligible.filter(({ nodeId, heardOn }) => nodeId !== own && heardOn.length > 0);
      for (const nodeId of chooseNeighbours(own, heard).keys()) {
        neighbours.get(own)?.add(nodeId);
        neighbours.get(nodeId)?.add(own);
      }
    }
    return neighbours;
  }

  function assertConnected(links: ReadonlyMap<string, readonly number[]>): void {
    const neighbours = choose(links);
    const ids = [...links.keys()];
    assert.equal(
      reachable(ids, (id) => neighbours.get(id) ?? []),
      ids.length,
    );
  }

  it('is in the hands of members who try node ids until they suit, if nothing else is to be had from them', () => {
    const victim = nodeIdOf(0);
    const eligible = (ids: readonly string[]) =>
      ids.map((nodeId) => ({ nodeId, order: orderOf(victim, nodeId), heardOn: [1], wasWanted: false }));
    const honest = eligible(Array.from({ length: 50 }, (_, i) => nodeIdOf(i + 1)));
    const tried = eligible(Array.from({ length: 5000 }, (_, i) => nodeIdOf(i + 100)));
    const byOrder = tried.toSorted((a, b) => (a.order < b.order ? -1 : 1)).slice(0, 6);
    const byId = tried.toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
    const next = byId.findIndex(({ nodeId }) => nodeId > victim);
    const liars = [...byOrder, byId[next], byId[next - 1]];
    const chosen = [...chooseNeighbours(victim, [...honest, ...liars]).keys()];
    assert.deepEqual(
      chosen.filter((nodeId) => !liars.some((liar) => liar.nodeId === nodeId)),
      [],
    );
  });

  it('connects the nodes of one link, of any number, with a few each', () => {
    for (const count of [2, 3, 7, 30, 300]) {
      const links = new Map(Array.from({ length: count }, (_, i) => [nodeIdOf(i), [1]]));
      assertConnected(links);
      for (const { size } of choose(links).values()) assert.ok(size <= MAX_NEIGHBOURS, `${size} of ${count}`);
    }
  });

  it('connects links that one node has in common, whatever its id', () => {
    for (let bridge = 0; bridge < 40; bridge++) {
      const links = Array.from({ length: 40 }, (_, i): [string, number[]] => [nodeIdOf(i), [(i % 4) + 1]]);
      assertConnected(new Map(links.map(([id], i) => [id, i === bridge ? [1, 2, 3, 4] : links[i][1]])));
    }
  });

  it('keeps those that are there already, up to a point', () => {
    const eligible = Array.from({ length: 30 }, (_, i): Eligible => {
      const nodeId = nodeIdOf(i + 1);
      return { nodeId, order: nodeId, heardOn: [1], wasWanted: i < 12 };
    });
    const wanted = [...chooseNeighbours(nodeIdOf(0), eligible).keys()];
    assert.equal(wanted.length, 8);
  });

  it('tries nodes that only others know of, two at a time, and more only while there are few neighbours', () => {
    const described = Array.from({ length: 30 }, (_, i): Eligible => {
      const nodeId = nodeIdOf(i + 1);
      return { nodeId, order: nodeId, heardOn: [], wasWanted: false };
    });
    assert.equal(chooseNeighbours(nodeIdOf(0), described).size, 2);
    assert.equal(chooseNeighbours(nodeIdOf(0), []).size, 0);
  });
});

describe('many nodes on one link', () => {
  function lan(size: number, length: Millis): { net: NetworkForTesting; names: string[] } {
    const net = new NetworkForTesting(identityPrimitives);
    const names = Array.from({ length: size }, (_, i) => `n${i}`);
    for (const name of names) net.start(name);
    net.runFor(length);
    return { net, names };
  }

  for (const [size, length] of [
    [30, seconds(12)],
    [60, seconds(25)],
  ] as const) {
    it(`${size}: have at most ${MAX_NEIGHBOURS} neighbours each, all are connected, and all know a way to all`, () => {
      const { net, names } = lan(size, length);
      for (const name of names) {
        const count = neighbours(net, name).length;
        assert.ok(count >= 2 && count <= MAX_NEIGHBOURS, `${name} has ${count}`);
        const { nodes } = net.node(name).status();
        assert.equal(nodes.filter(({ path }) => path.kind !== 'none').length, size - 1);
      }
      assert.equal(
        reachable(names, (name) => neighbours(net, name)),
        size,
      );
    });
  }

  it('find the direct path to each other when there is traffic, and give it up after', () => {
    const { net, names } = lan(20, seconds(15));
    const { nodes } = net.node('n0').status();
    const distant = nodes.find(({ isNeighbour }) => !isNeighbour)?.hostName;
    assert.ok(distant !== undefined && names.includes(distant));
    const pathNow = () =>
      net
        .node('n0')
        .status()
        .nodes.find(({ hostName }) => hostName === distant)?.path.kind;
    assert.equal(pathNow(), 'relayed');
    for (let i = 0; i < 100; i++) {
      net.sendData('n0', distant);
      net.runFor(seconds(0.01));
    }
    assert.equal(net.delivered.length, 100);
    assert.equal(pathNow(), 'direct');
    net.runFor(seconds(240));
    assert.equal(pathNow(), 'relayed');
  });

  it('thirty at rest: each sends less than 2 kbit/s, all included, and wakes less than twice a second', () => {
    const { net, names } = lan(30, seconds(60));
    net.sentBytes.clear();
    net.wakeUps.clear();
    const length = 300;
    net.runFor(seconds(length));
    const bitsPerSecond = names.map((name) => ((net.sentBytes.get(name) ?? 0) * 8) / length);
    assert.ok(Math.max(...bitsPerSecond) < 2000, `${Math.max(...bitsPerSecond)}`);
    for (const count of net.wakeUps.values()) assert.ok(count / length < 2);
  });
});

describe('two nodes', () => {
  it('become neighbours however long a round trip takes, and whatever they say meanwhile', () => {
    for (let latency = 1; latency <= 120; latency += 3) {
      const net = new NetworkForTesting(identityPrimitives);
      net.latency = millis(latency);
      const hub = parseAddress('192.0.2.1')!;
      net.start('hub', { links: [], addresses: [hub] });
      net.start('leaf', { links: [], addresses: [parseAddress('192.0.2.2')!], bootstrap: [endpointOf(hub, PORT)] });
      net.runFor(seconds(6));
      for (const name of ['hub', 'leaf']) {
        assert.deepEqual(neighbours(net, name).length, 1, `${name} with ${latency} ms`);
      }
    }
  });
});

describe('a refusal', () => {
  function reply(asked: Wish, ours: Wish): Relation {
    const relation: Relation = { ...NO_RELATION, ours };
    const tunnel = new Tunnel(new Candidates(), () => 1n);
    const answer = { kind: 'probe-reply', nonce: 1n, wish: asked, isNeighbour: false, seenAt: undefined } as const;
    new Neighbours('00', new KnownNodes()).handleProbeReply({ relation, tunnel }, answer, millis(0));
    return relation;
  }

  it('ends the wish that it answers, for a while', () => {
    const { ours, refusedUntil } = reply('likes', 'likes');
    assert.equal(ours, 'no');
    assert.equal(refusedUntil, seconds(120));
  });

  it('says nothing of a wish that came up while it was on its way', () => {
    assert.equal(reply('no', 'likes').ours, 'likes');
    assert.equal(reply('likes', 'needs').ours, 'needs');
  });
});

describe('a node that is full', () => {
  it('still accepts those that have nobody else', () => {
    const net = new NetworkForTesting(identityPrimitives);
    // A star: the hub is the only node on each link.
    net.start('hub', { links: Array.from({ length: 20 }, (_, i) => i + 1) });
    for (let i = 1; i <= 20; i++) net.start(`leaf${i}`, { links: [i] });
    net.runFor(seconds(15));
    for (let i = 1; i <= 20; i++) {
      const { nodes } = net.node(`leaf${i}`).status();
      assert.equal(nodes.filter(({ path }) => path.kind !== 'none').length, 20);
    }
  });
});
