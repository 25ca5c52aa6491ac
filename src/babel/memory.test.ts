/** What a node believes must not depend for good on what its neighbours, or it itself, happen to remember. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { seconds } from '../machine/index.ts';
import { SOURCE_GC_TIME } from './constants.ts';
import { BabelNetworkForTesting } from './network-for-testing.ts';
import { readPacket } from './packet-reader.ts';

function line(seqno: number): BabelNetworkForTesting {
  const net = new BabelNetworkForTesting();
  for (const name of ['a', 'b', 'c']) net.addNode(name, { seqno });
  net.connect(['a', 'b']);
  net.connect(['b', 'c']);
  net.runFor(seconds(30));
  assert.deepEqual(net.pathBetween('a', 'c'), ['a', 'b', 'c']);
  return net;
}

describe('a node that restarts with an older seqno', () => {
  it('is reached again when its former life is forgotten', () => {
    const net = line(1000);
    net.restart('c', { seqno: 500 });
    net.runFor(seconds(10));
    assert.equal(net.pathBetween('a', 'c'), 'no way');
    const took = net.runUntil(() => net.pathBetween('a', 'c') !== 'no way', seconds(1800));
    assert.ok(took !== undefined, 'never reached again');
    assert.ok(took <= SOURCE_GC_TIME + 60_000, `reached after ${took} ms`);
  });

  it('is reached again at once if it is older by no more than what it is asked for', () => {
    const net = line(1000);
    net.restart('c', { seqno: 999 });
    assert.ok(net.runUntil(() => net.pathBetween('a', 'c') !== 'no way', seconds(20)) !== undefined);
  });
});

describe('a seqno that is wished for', () => {
  it('is asked for again when all requests of a minute were lost', () => {
    const net = line(1000);
    let isAskingInVain = true;
    net.passes = (from, _to, packet) =>
      !isAskingInVain || from !== 'b' || !kindsOf(net, packet).includes('seqno-request');
    net.restart('c', { seqno: 999 });
    net.runFor(seconds(120));
    assert.equal(net.pathBetween('a', 'c'), 'no way');
    isAskingInVain = false;
    assert.ok(net.runUntil(() => net.pathBetween('a', 'c') !== 'no way', seconds(60)) !== undefined);
  });
});

describe('a route that is retracted', () => {
  it('is retracted with every announcement of all routes for a while (§3.7.1)', () => {
    const net = line(1000);
    let isLost = true;
    net.passes = (from, to, packet) => !isLost || from !== 'b' || to !== 'a' || !retracts(net, packet);
    net.act('c', (speaker, now) => speaker.withdraw(net.node('c').prefix, now));
    net.runFor(seconds(8));
    assert.deepEqual(net.node('a').routes.get(net.node('c').key)?.via, 'b');
    isLost = false;
    const took = net.runUntil(() => net.node('a').routes.get(net.node('c').key)?.via !== 'b', seconds(120));
    assert.ok(took !== undefined && took < 17_000, `after ${took} ms`);
  });
});

describe('a neighbour that asks for everything twice in a second', () => {
  it('is told twice, since it believes others now than when it was told first', () => {
    const net = line(1000);
    let believesC = false;
    net.act('a', (speaker, now) => speaker.setFilter(() => believesC, now));
    net.runFor(seconds(0.1));
    believesC = true;
    net.act('a', (speaker, now) => speaker.setFilter(() => true, now));
    net.runFor(seconds(2));
    assert.deepEqual(net.pathBetween('a', 'c'), ['a', 'b', 'c']);
  });
});

function kindsOf(net: BabelNetworkForTesting, packet: Uint8Array): string[] {
  return readPacket(packet, net.node('b').linkLocal)?.tlvs.map(({ kind }) => kind) ?? [];
}

function retracts(net: BabelNetworkForTesting, packet: Uint8Array): boolean {
  return kindsOf(net, packet).includes('retraction');
}
