import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, parseAddress } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { Discovery } from './discovery.ts';

const SELF = endpointOf(parseAddress('127.0.0.1')!, 51820);
const BOOTSTRAP = endpointOf(parseAddress('192.0.2.1')!, 51820);

class Bench {
  readonly live = new Set<string>();
  readonly discovery = new Discovery(
    (nodeId) => this.live.has(nodeId),
    () => this.live.size === 0,
    () => 0.5,
  );
  readonly told: string[] = [];
  now = millis(0);

  /** When something came out, in milliseconds. */
  run(until: Millis): number[] {
    const times: number[] = [];
    for (;;) {
      for (let output = this.discovery.poll(); output !== undefined; output = this.discovery.poll()) {
        if (output.kind === 'bootstrap') this.told.push(`${this.now} ${output.state}`);
        else times.push(this.now);
      }
      const next = this.discovery.nextTimeout();
      if (next === undefined || next > until) break;
      this.now = next;
      this.discovery.handleTimeout(this.now);
    }
    this.now = until;
    return times;
  }
}

describe('beacons', () => {
  it('go out quickly three times, then every ten seconds', () => {
    const bench = new Bench();
    bench.discovery.handleLinks([3], bench.now);
    assert.deepEqual(bench.run(seconds(33)), [0, 1050, 2100, 12_100, 22_100, 32_100]);
  });

  it('go out at once on a link that comes, and no more on one that went', () => {
    const bench = new Bench();
    bench.discovery.handleLinks([3], bench.now);
    bench.run(seconds(30));
    bench.discovery.handleLinks([4], bench.now);
    assert.deepEqual(bench.run(seconds(33)), [30_000, 31_050, 32_100]);
    bench.discovery.handleLinks([], bench.now);
    assert.deepEqual(bench.run(seconds(600)), []);
  });
});

describe('a bootstrap endpoint', () => {
  it('is called with back-off from a second to a minute, for ever', () => {
    const bench = new Bench();
    bench.discovery.handleBootstrap([BOOTSTRAP], bench.now);
    const calls = bench.run(seconds(600));
    const gaps = calls.slice(1).map((at, i) => at - calls[i]);
    assert.equal(gaps[0], 1000);
    // Who starts late is called within a quarter of the time that it was waited for.
    gaps.forEach((gap, i) => assert.ok(gap <= 1001 + calls[i] / 4 && gap <= 60_000, `${gap} after ${calls[i]}`));
    assert.equal(gaps.at(-1), 60_000);
    assert.ok(calls.length <= 25, `${calls.length}`);
  });

  it('is called once a minute while its node is live, and at once when that is lost', () => {
    const bench = new Bench();
    bench.discovery.handleBootstrap([BOOTSTRAP], bench.now);
    bench.discovery.handleAnswer(BOOTSTRAP, 'node', false);
    bench.live.add('node');
    assert.deepEqual(bench.run(seconds(150)), [0, 1000, 61_000, 121_000]);
    bench.live.clear();
    bench.discovery.handleLost('node', bench.now);
    assert.deepEqual(bench.run(seconds(153)), [150_000, 151_000, 152_250]);
  });

  it('is told to be silent within ten seconds, once, and to answer when it does', () => {
    const bench = new Bench();
    bench.discovery.handleBootstrap([BOOTSTRAP], bench.now);
    bench.run(seconds(300));
    bench.discovery.handleAnswer(BOOTSTRAP, 'node', false);
    bench.run(seconds(400));
    assert.deepEqual(bench.told, ['8000 silent', '300000 answers']);
    assert.deepEqual(bench.discovery.bootstraps, [{ endpoint: BOOTSTRAP, state: 'answers' }]);
  });

  it('is not spoken of if it answers, and once if it is the node itself', () => {
    const bench = new Bench();
    bench.discovery.handleBootstrap([BOOTSTRAP, SELF], bench.now);
    bench.run(seconds(1));
    bench.discovery.handleAnswer(BOOTSTRAP, 'node', false);
    for (let i = 0; i < 3; i++) bench.discovery.handleAnswer(SELF, 'own', true);
    bench.run(seconds(400));
    assert.deepEqual(bench.told, ['1000 self']);
  });

  it('keeps its schedule when names are resolved again to the same address', () => {
    const bench = new Bench();
    bench.discovery.handleBootstrap([BOOTSTRAP], bench.now);
    const calls = bench.run(seconds(400));
    bench.discovery.handleBootstrap([BOOTSTRAP], bench.now);
    assert.deepEqual(bench.run(seconds(460)), [(calls.at(-1) ?? 0) + 60_000]);
  });
});
