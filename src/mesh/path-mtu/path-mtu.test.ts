import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { millis, seconds } from '../../machine/index.ts';
import { PathForTesting } from './path-for-testing.ts';
import { longestOverRelays, sizesBetween } from './sizes.ts';

const WAY = { key: '192.0.2.1:51820', longest: 1420 };

function pathOf(limit: number, seed = 1): PathForTesting {
  const path = new PathForTesting(seed);
  path.limit = limit;
  path.machine.setWay(WAY, path.now);
  return path;
}

describe('the path MTU', () => {
  it('is proved in one round trip where the path carries all', () => {
    const path = pathOf(Infinity);
    path.runFor(millis(20));
    assert.deepEqual(path.machine.limit, { mtu: 1420, isProved: true });
    assert.deepEqual(
      path.probes.map(({ size }) => size),
      [1420, 0],
    );
  });

  it('begins with what every path should carry', () => {
    assert.deepEqual(pathOf(Infinity).machine.limit, { mtu: 1280, isProved: false });
  });

  // The router carries 1,400, 1,300 and 1,000 bytes, over IPv4 and IPv6.
  for (const [limit, found] of [
    [1340, 1328],
    [1320, 1312],
    [1240, 1232],
    [1220, 1216],
    [940, 928],
    [920, 912],
  ]) {
    it(`is ${found} where packets of ${limit} bytes arrive, and found within two seconds`, () => {
      const path = pathOf(limit);
      path.runFor(seconds(2));
      assert.deepEqual(path.machine.limit, { mtu: found, isProved: true });
      assert.deepEqual(path.found(), [found]);
    });
  }

  it('sends nothing at rest', () => {
    const path = pathOf(1340);
    path.runFor(seconds(2));
    const before = path.probes.length;
    path.runFor(seconds(86_400));
    assert.equal(path.probes.length, before);
  });

  it('costs one pair of probes in two seconds of traffic', () => {
    const path = pathOf(1340);
    path.runFor(seconds(2));
    path.probes.splice(0);
    path.runFor(seconds(100), true);
    assert.ok(path.probes.length <= 102, `${path.probes.length} probes`);
  });

  it('shrinks within three seconds when the path does, and packets are cut until it is known how far', () => {
    const path = pathOf(Infinity);
    path.runFor(seconds(30), true);
    path.limit = 1340;
    path.said.splice(0);
    path.runFor(seconds(3), true);
    assert.deepEqual(
      path.said.flatMap((one) => (one.kind === 'limit' ? [`${one.mtu} ${one.isProved}`] : [])),
      ['1280 false', '1328 true'],
    );
  });

  it('is looked at as soon as there is traffic after a rest', () => {
    const path = pathOf(Infinity);
    path.runFor(seconds(3600));
    path.limit = 1340;
    path.runFor(seconds(2), true);
    assert.equal(path.machine.limit.mtu, 1328);
  });

  it('is looked at at once when the host itself refuses a packet', () => {
    const path = pathOf(Infinity);
    path.runFor(seconds(60));
    path.limit = 1340;
    path.machine.handleRefused(path.now);
    path.runFor(seconds(2));
    assert.equal(path.machine.limit.mtu, 1328);
  });

  it('grows again within ten minutes of traffic', () => {
    const path = pathOf(1340);
    path.runFor(seconds(2));
    path.limit = Infinity;
    path.runFor(seconds(610), true);
    assert.deepEqual(path.machine.limit, { mtu: 1420, isProved: true });
  });

  it('stays while it is tried whether it has grown', () => {
    const path = pathOf(1340);
    path.runFor(seconds(2));
    path.said.splice(0);
    path.runFor(seconds(1300), true);
    assert.deepEqual(
      path.said.filter(({ kind }) => kind === 'limit'),
      [],
    );
  });

  it('is none of a path that is down: that is for others to say', () => {
    const path = pathOf(Infinity);
    path.runFor(seconds(10), true);
    path.loss = 1;
    path.said.splice(0);
    path.runFor(seconds(60), true);
    assert.deepEqual(path.said, []);
    path.loss = 0;
    path.runFor(seconds(10), true);
    assert.deepEqual(path.machine.limit, { mtu: 1420, isProved: true });
  });

  it('asks nobody who is silent while there is nothing to send', () => {
    const path = pathOf(Infinity);
    path.loss = 1;
    path.runFor(seconds(60));
    const before = path.probes.length;
    assert.ok(before < 14, `${before} probes`);
    path.runFor(seconds(3600));
    assert.equal(path.probes.length, before);
    path.loss = 0;
    path.runFor(seconds(1), true);
    assert.deepEqual(path.machine.limit, { mtu: 1420, isProved: true });
  });

  it('is told from loss: with one packet in five lost either way it shrinks less than once in an hour of traffic', () => {
    let shrunk = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const path = pathOf(Infinity, seed);
      path.runFor(seconds(60), true);
      path.loss = 0.2;
      path.lossOfAnswers = 0.2;
      path.runFor(seconds(60), true);
      path.said.splice(0);
      path.runFor(seconds(3600), true);
      shrunk += path.said.filter((one) => one.kind === 'limit' && !one.isProved).length;
    }
    assert.ok(shrunk < 10, `${shrunk} times in ten hours`);
  });

  it('is found within half a minute where one packet in five is lost either way', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const path = pathOf(1340, seed);
      path.loss = 0.2;
      path.lossOfAnswers = 0.2;
      path.runFor(seconds(30), true);
      assert.ok(path.machine.limit.isProved && path.machine.limit.mtu <= 1328, `seed ${seed}`);
    }
  });

  it('is one thing there and another back: only the way there counts, though all answers to it are lost half the time', () => {
    const path = pathOf(1340);
    path.lossOfAnswers = 0.5;
    path.runFor(seconds(60), true);
    assert.deepEqual(path.machine.limit, { mtu: 1328, isProved: true });
  });

  it('takes a round trip of three seconds for no black hole', () => {
    const path = pathOf(Infinity);
    path.delay = 1500;
    path.runFor(seconds(60), true);
    assert.deepEqual(path.found(), [1420]);
    path.delay = 100;
    path.runFor(seconds(20), true);
    path.delay = 2500;
    path.runFor(seconds(120), true);
    assert.deepEqual(path.found(), [1420]);
  });

  it('of a path that carries nothing of any use is said, and tried again ever more rarely', () => {
    const path = pathOf(300);
    path.runFor(seconds(3600));
    assert.ok(path.found().every((one) => one === 'blocked'));
    assert.ok(path.found().length >= 20 && path.found().length < 30, `${path.found().length}`);
    path.limit = Infinity;
    path.runFor(seconds(170));
    assert.deepEqual(path.machine.limit, { mtu: 1420, isProved: true });
  });

  it('begins anew on another way, and remembers what passed on the one before', () => {
    const path = pathOf(1340);
    path.runFor(seconds(2));
    path.machine.setWay({ key: 'via r', longest: 1328 }, path.now);
    assert.deepEqual(path.machine.limit, { mtu: 1280, isProved: false });
    path.limit = 1248;
    path.runFor(seconds(2));
    assert.deepEqual(path.machine.limit, { mtu: 1248, isProved: true });
    path.limit = 1340;
    path.machine.setWay(WAY, path.now);
    assert.deepEqual(path.machine.limit, { mtu: 1280, isProved: false });
    path.runFor(millis(20));
    assert.deepEqual(path.machine.limit, { mtu: 1328, isProved: true });
  });

  it('asks for nothing where there is no way', () => {
    const path = pathOf(1340);
    path.runFor(seconds(2));
    path.machine.setWay(undefined, path.now);
    path.probes.splice(0);
    path.runFor(seconds(60), true);
    assert.deepEqual(path.probes, []);
  });

  it('ignores echoes that it did not ask for', () => {
    const path = pathOf(1340);
    assert.equal(path.machine.handleEcho(4711n, path.now), false);
  });
});

describe('likely lengths', () => {
  it('are such that WireGuard pads nothing', () => {
    assert.ok(sizesBetween(0, 10_000).every((size) => size % 16 === 0));
  });

  it('hold for each packet of the underlay the longest that fits, over either family', () => {
    for (const outer of [1492, 1480, 1400, 1300, 1000]) {
      for (const headers of [60, 80]) {
        const fits = (outer - headers) & ~15;
        assert.ok(sizesBetween(fits - 1, fits + 1).includes(fits), `${outer} ${headers}`);
      }
    }
  });

  it('over relays are shorter by the headers', () => assert.equal(longestOverRelays(1420), 1328));
});
