import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEndpoint, parseEndpoint, type Endpoint } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { Candidates } from './endpoints.ts';
import { Tunnel } from './tunnel.ts';

function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  assert.ok(parsed);
  return parsed;
}

const A = endpoint('192.0.2.1:1');
const B = endpoint('192.0.2.2:2');

class Bench {
  now = millis(0);
  nonce = 0n;
  readonly tunnel: Tunnel;

  constructor(...described: Endpoint[]) {
    const candidates = new Candidates();
    candidates.describe(described);
    this.tunnel = new Tunnel(candidates, () => ++this.nonce);
    this.tunnel.start(this.now);
  }

  /** What comes out until `until`, with the time of each. */
  run(until: Millis): string[] {
    const seen: string[] = [];
    for (;;) {
      seen.push(...this.drain());
      const next = this.tunnel.nextTimeout();
      if (next === undefined || next > until) break;
      this.now = next;
      this.tunnel.handleTimeout(this.now);
    }
    this.now = until;
    return seen;
  }

  drain(): string[] {
    const seen: string[] = [];
    for (let out = this.tunnel.poll(); out !== undefined; out = this.tunnel.poll()) {
      const where =
        out.kind === 'hello' ? formatEndpoint(out.to) : out.kind === 'endpoint' ? formatEndpoint(out.endpoint) : '';
      seen.push(`${this.now} ${out.kind} ${where}`.trim());
    }
    return seen;
  }

  bringUp(): void {
    this.run(millis(this.now + 1000));
    this.tunnel.handleProbeReply(this.nonce, this.now);
    this.run(this.now);
    this.tunnel.handleProbeReply(this.nonce, this.now);
    assert.equal(this.tunnel.state, 'up');
  }
}

describe('a tunnel whose node answers nowhere', () => {
  it('asks all candidates, then gives each a handshake, then rests longer and longer, up to a minute', () => {
    const bench = new Bench(A, B);
    const seen = bench.run(millis(18_999));
    // While a candidate has its turn it is probed again each second: what the first probe found may not be all.
    assert.equal(seen.filter((line) => line.endsWith('probe')).length, 2 * 6);
    assert.deepEqual(
      seen.filter((line) => !/\d probe$/.test(line) || /^[17]000 /.test(line)),
      [
        '0 hello 192.0.2.1:1',
        '0 hello 192.0.2.2:2',
        '1000 endpoint 192.0.2.1:1',
        '1000 hello 192.0.2.1:1',
        '1000 probe',
        '7000 endpoint 192.0.2.2:2',
        '7000 hello 192.0.2.2:2',
        '7000 probe',
        '18000 hello 192.0.2.1:1',
        '18000 hello 192.0.2.2:2',
      ],
    );
    const rounds = bench.run(seconds(3600)).filter((line) => line.endsWith('hello 192.0.2.1:1'));
    const last = rounds.slice(-5).map((line) => Number.parseInt(line));
    assert.equal(last[4] - last[2], 73_000);
    assert.equal(bench.tunnel.state, 'trying');
  });

  it('waits when there is no candidate, until one is heard', () => {
    const bench = new Bench();
    assert.deepEqual(bench.run(seconds(600)), []);
    assert.equal(bench.tunnel.state, 'found');
    bench.tunnel.handleHeard(A, bench.now);
    assert.deepEqual(bench.drain(), ['600000 endpoint 192.0.2.1:1', '600000 hello 192.0.2.1:1', '600000 probe']);
  });
});

describe('a tunnel whose node answers a Hello', () => {
  it('takes the endpoint that answers first, and gives it its time', () => {
    const bench = new Bench(A, B);
    bench.run(millis(30));
    bench.tunnel.handleHeard(B, bench.now);
    bench.tunnel.handleHeard(A, bench.now);
    assert.deepEqual(bench.drain(), ['30 endpoint 192.0.2.2:2', '30 hello 192.0.2.2:2', '30 probe']);
  });

  it('but never a handshake, is tried four times a minute at most, however often the node is heard', () => {
    const bench = new Bench(A);
    let tries = 0;
    for (let second = 1; second <= 600; second++) {
      bench.tunnel.handleHeard(A, bench.now);
      tries += bench.run(seconds(second)).filter((line) => line.includes('endpoint')).length;
    }
    assert.ok(tries <= 100, `${tries} tries in ten minutes`);
  });
});

describe('a tunnel that is up', () => {
  it('is probed every five seconds', () => {
    const bench = new Bench(A);
    bench.bringUp();
    const probes: string[] = [];
    for (let second = 1; second <= 12; second++) {
      probes.push(...bench.run(seconds(second)));
      bench.tunnel.handleProbeReply(bench.nonce, bench.now);
    }
    assert.deepEqual(probes, ['6000 probe', '11000 probe']);
  });

  it('is probed every second while nothing comes back, and lost after fifteen', () => {
    const bench = new Bench(A);
    bench.bringUp();
    const seen = bench.run(millis(21_999));
    assert.deepEqual(seen.slice(0, 2), ['6000 probe', '7000 probe']);
    assert.deepEqual(seen.slice(-3), ['20000 probe', '21000 lost', '21000 hello 192.0.2.1:1']);
    assert.equal(bench.tunnel.state, 'lost');
  });

  it('is kept by any late answer', () => {
    const bench = new Bench(A);
    bench.bringUp();
    for (let round = 0; round < 20; round++) {
      bench.run(millis(bench.now + 19_000));
      bench.tunnel.handleProbeReply(bench.nonce - 2n, bench.now);
    }
    assert.equal(bench.tunnel.state, 'up');
  });

  it('does not change its endpoint for any hint', () => {
    const bench = new Bench(A);
    bench.bringUp();
    bench.tunnel.handleHeard(B, bench.now);
    bench.tunnel.handleSession(bench.now);
    bench.tunnel.start(bench.now);
    assert.deepEqual(bench.drain(), []);
    assert.equal(bench.tunnel.state, 'up');
  });

  it('smooths the round-trip time, and leaves out the probe that waited for the handshake', () => {
    const bench = new Bench(A);
    bench.run(seconds(2));
    bench.tunnel.handleProbeReply(bench.nonce, bench.now);
    assert.equal(bench.tunnel.smoothedRtt, undefined);
    bench.run(bench.now);
    bench.tunnel.handleProbeReply(bench.nonce, millis(bench.now + 80));
    assert.equal(bench.tunnel.smoothedRtt, 80);
    bench.run(millis(7080));
    bench.tunnel.handleProbeReply(bench.nonce, millis(bench.now + 160));
    assert.equal(bench.tunnel.smoothedRtt, 90);
  });

  it('takes no answer that belongs to no probe, nor one twice', () => {
    const bench = new Bench(A);
    bench.run(seconds(2));
    assert.equal(bench.tunnel.handleProbeReply(999n, bench.now), false);
    assert.equal(bench.tunnel.handleProbeReply(bench.nonce, bench.now), true);
    assert.equal(bench.tunnel.handleProbeReply(bench.nonce, bench.now), false);
  });

  it('rests for ten seconds after a goodbye', () => {
    const bench = new Bench(A);
    bench.bringUp();
    const left = bench.now;
    bench.tunnel.handleLeave(left);
    assert.deepEqual(bench.run(millis(left + 9999)), []);
    assert.equal(bench.run(millis(left + 10_000)).length, 1);
  });

  it('starts from nothing when the node has another key', () => {
    const bench = new Bench(A);
    bench.bringUp();
    bench.tunnel.restart(bench.now);
    assert.equal(bench.tunnel.state, 'trying');
    assert.equal(bench.tunnel.hasBeenUp, false);
  });
});
