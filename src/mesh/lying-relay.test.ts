/** A member that speaks Babel and lies, as issue 9 has it: what it says of others, and what it does with their packets. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { isSeqnoLess } from '../babel/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { MeshWithLiars } from './lies-for-testing.ts';

/** As the clock of the tests has it. */
const SEQNO = 1_800_000_000 & 0xffff;

function mesh(links: string): MeshWithLiars {
  const net = new MeshWithLiars(links, identityPrimitives);
  net.runFor(seconds(20));
  return net;
}

/** `liar` tells `to`, ten times a second for as long as it runs, that it is next to `about`, with the right seqno. */
function keepClaiming(net: MeshWithLiars, liar: string, to: string, about: string): void {
  net.liars.add(liar);
  const run = () => {
    if (!net.isRunning(liar)) return;
    net.device(liar).isRelayed = () => false;
    net.claim(liar, to, about, { seqno: net.seqnoOf(about), metric: 1 });
    net.schedule(millis(100), run);
  };
  net.schedule(millis(0), run);
}

function outage(net: MeshWithLiars, from: string, to: string, length: Millis): number {
  return net.talk(from, to, length).outage;
}

describe('a seqno that its owner has not signed', () => {
  for (const times of [1, 10]) {
    it(`draws no traffic, while the liar is there and when it is gone (${times} of it)`, () => {
      const net = mesh('av al vd dc');
      assert.equal(net.way('v', 'c'), 'vdc');
      assert.equal(net.way('a', 'c'), 'avdc');
      for (let i = 0; i < times; i++) {
        net.claim('l', 'a', 'c', { seqno: (SEQNO + 20_000 + i) & 0xffff, metric: 1 });
        assert.equal(net.talk('a', 'c', seconds(1)).lost, 0);
      }
      net.kill('l');
      assert.equal(net.talk('a', 'c', seconds(5)).lost, 0);
      assert.deepEqual([...net.loops], []);
    });
  }
});

describe('a node that comes back', () => {
  for (const [how, unixSkew] of [
    ['at once', 0],
    ['after 20 hours', 20 * 3_600_000],
    ['after half the time in which seqnos go round', 32_768_000 - 22_000],
    ['with its clock put back by an hour', -3_600_000],
    ['ten hours ahead, which is half way round the seqnos', 36_000_000],
  ] as const) {
    it(`is reached again by nodes that remember its former life, which it has forgotten itself, ${how}`, () => {
      const net = mesh('ab bc cd da');
      net.talk('a', 'c', seconds(2));
      net.restart('c', { storedSeqno: undefined, unixTime: () => millis(net.unixTime() + unixSkew) });
      net.runFor(seconds(4));
      assert.equal(net.talk('a', 'c', seconds(5)).lost, 0);
      assert.deepEqual([...net.loops], []);
    });
  }

  it('goes on with a newer seqno, whatever its clock says', () => {
    const net = mesh('ab bc cd da');
    const before = net.seqnoOf('c');
    net.restart('c', { unixTime: () => millis(net.unixTime() - 36_000_000) });
    net.runFor(seconds(2));
    assert.ok(isSeqnoLess(before, net.seqnoOf('c')));
    assert.equal(net.talk('a', 'c', seconds(5)).lost, 0);
  });

  it('makes no loops, whatever its clock says, while links come and go', () => {
    for (let seed = 1; seed <= 4; seed++) {
      const net = mesh('ab bc cd de ef fa ad be');
      let state = seed;
      const chance = (below: number) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % below;
      const cut = new Set<string>();
      net.isLost = (from, to) => cut.has(from + to) || cut.has(to + from);
      for (let i = 0; i < 12; i++) {
        const skew = (chance(21) - 10) * 3_600_000;
        const clock = { unixTime: () => millis(net.unixTime() + skew) };
        const memory = chance(2) > 0 ? {} : { storedSeqno: undefined };
        if (chance(3) > 0) net.restart('abcdef'[chance(6)], { ...clock, ...memory });
        cut.clear();
        cut.add(['ab', 'bc', 'cd', 'de', 'ef', 'fa'][chance(6)]);
        for (const to of 'bcdef') net.sendData('a', to);
        net.runFor(millis(500 + chance(4000)));
      }
      cut.clear();
      net.runFor(seconds(30));
      assert.deepEqual([...net.loops], [], `seed ${seed}`);
      for (const to of 'bcdef') assert.equal(net.way('a', to).at(-1), to, `seed ${seed}, to ${to}`);
    }
  });

  it('is reached again though a liar claims more than it can say, and replays what it said', () => {
    const net = mesh('al ad dc lc');
    const replayed: Uint8Array[] = [];
    net.onStatement = (datagram) => void replayed.push(datagram);
    net.talk('a', 'c', seconds(2));
    net.restart('c', { storedSeqno: undefined, unixTime: () => millis(net.unixTime() - 3_600_000) });
    net.liars.add('l');
    for (let i = 0; i < 40; i++) {
      net.claim('l', 'a', 'c', { seqno: (SEQNO + i * 1000) & 0xffff, metric: 1 });
      for (const datagram of replayed.slice(0, 50)) net.sayBytes('l', 'a', datagram);
      net.runFor(millis(100));
    }
    assert.equal(net.talk('a', 'c', seconds(5)).lost, 0);
    // Of two ways of the same length chance has taken one, and it may be that over the liar.
    net.kill('l');
    assert.ok(net.talk('a', 'c', seconds(5)).outage < seconds(1));
  });
});

describe('signed seqnos', () => {
  it('arrive in the end where two of three messages are lost', () => {
    const net = new MeshWithLiars('ab bc', identityPrimitives);
    let count = 0;
    net.dropStatement = () => count++ % 3 !== 0;
    net.runFor(seconds(30));
    assert.equal(net.way('a', 'c'), 'abc');
    assert.equal(net.way('c', 'a'), 'cba');
  });

  it('with wrong signatures are checked once a minute for each sender', () => {
    const net = mesh('al ad dc');
    const { nodeId } = net.node('c');
    net.liars.add('l');
    for (let i = 1; i <= 200; i++) {
      const statement = { nodeId, seqno: i, issuedAt: 2_000_000_000_000 + i, signature: new Uint8Array(64) };
      net.say('l', 'a', { kind: 'seqno-statements', statements: [statement] });
    }
    net.runFor(seconds(1));
    const drops = net.drops('a');
    assert.equal(drops['statement-wrong-signature'], 1);
    assert.equal(drops['statement-rate-limited'], 199);
    assert.equal(net.talk('a', 'c', seconds(5)).lost, 0);
  });
});

describe('an honest mesh', () => {
  const left = (net: MeshWithLiars, name: string) => net.drops(name)['way-without-echo'] ?? 0;

  it('does not leave a way that loses a fifth of all packets on each link for want of echoes', () => {
    const net = mesh('ab bc ad dc');
    let state = 1;
    net.isLost = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 < 0.2;
    net.talk('a', 'c', seconds(90), millis(500));
    assert.ok(left(net, 'a') <= 2, `${left(net, 'a')}`);
    assert.deepEqual([...net.loops], []);
  });

  it('does not leave a way that takes one and a half seconds there and back', () => {
    const net = new MeshWithLiars('ab bc ad dc', identityPrimitives);
    net.latency = millis(375);
    net.runFor(seconds(60));
    net.talk('a', 'c', seconds(60), millis(500));
    assert.equal(left(net, 'a'), 0);
  });

  it('says nothing for a destination without traffic', () => {
    const net = mesh('ab bc ad dc');
    net.runFor(seconds(60));
    assert.equal(left(net, 'a'), 0);
  });

  it('does not go from one way to the next for ever, when the destination does not answer on any', () => {
    const net = mesh('ab bc ad dc ae ec');
    net.talk('a', 'c', seconds(2));
    // The routers round it hear it, but nothing else comes out.
    for (const relay of 'bde') net.device(relay).isRelayed = () => false;
    net.talk('a', 'c', seconds(200), millis(500));
    assert.ok(left(net, 'a') <= 6, `${left(net, 'a')}`);
    const before = left(net, 'a');
    net.talk('a', 'c', seconds(200), millis(500));
    assert.ok(left(net, 'a') - before <= 1, `${left(net, 'a') - before} more`);
    for (const relay of 'bde') net.device(relay).isRelayed = () => true;
    net.talk('a', 'c', seconds(5));
    assert.equal(net.talk('a', 'c', seconds(5)).lost, 0);
  });

  it('stops when the destination is off', () => {
    const net = mesh('ab bc ad dc');
    net.talk('a', 'c', seconds(2));
    const { address } = net.node('c');
    net.kill('c');
    for (let i = 0; i < 120; i++) {
      net.device('a').send({ kind: 'host', datagram: new Uint8Array(100) }, address);
      net.runFor(millis(500));
    }
    assert.ok(left(net, 'a') <= 1, `${left(net, 'a')}`);
  });
});

describe('a relay that claims the best way and drops everything', () => {
  it('is left within five seconds, and stays left, whatever it says', () => {
    const net = mesh('al ad dc');
    assert.equal(outage(net, 'a', 'c', seconds(5)) < 100, true);
    keepClaiming(net, 'l', 'a', 'c');
    const took = outage(net, 'a', 'c', seconds(20));
    assert.ok(took > 500 && took < 5000, `${took}`);
    assert.equal(net.way('a', 'c'), 'adc');
    assert.deepEqual([...net.loops], []);
  });

  it('is left within five seconds of the first packet, where none has arrived before', () => {
    const net = mesh('al ad dc');
    keepClaiming(net, 'l', 'a', 'c');
    net.runFor(seconds(5));
    assert.equal(net.way('a', 'c'), 'al');
    const took = outage(net, 'a', 'c', seconds(20));
    assert.ok(took < 5000, `${took}`);
  });

  it('costs one short gap in each back-off, which grows', () => {
    const net = mesh('al ad dc');
    keepClaiming(net, 'l', 'a', 'c');
    const { lost } = net.talk('a', 'c', seconds(600), millis(250));
    assert.ok(lost < 4 * 15, `${lost}`);
    assert.ok((net.drops('a')['way-without-echo'] ?? 0) <= 4);
  });

  it('is left by the honest next hop that it has misled, when that is told', () => {
    const net = mesh('ab bl bd dc');
    outage(net, 'a', 'c', seconds(5));
    keepClaiming(net, 'l', 'b', 'c');
    const took = outage(net, 'a', 'c', seconds(20));
    assert.ok(took > 500 && took < 5000, `${took}`);
    assert.equal(net.way('a', 'c'), 'abdc');
    assert.deepEqual([...net.loops], []);
  });

  it('is left one after the other, if there are several', () => {
    const net = mesh('al am an ad dc');
    outage(net, 'a', 'c', seconds(5));
    for (const liar of 'lmn') keepClaiming(net, liar, 'a', 'c');
    const took = outage(net, 'a', 'c', seconds(30));
    assert.ok(took < 3 * 5000, `${took}`);
    assert.equal(net.way('a', 'c'), 'adc');
  });
});
