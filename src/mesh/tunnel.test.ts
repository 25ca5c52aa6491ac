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
    this.tunnel.want(true, this.now);
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
    this.tunnel.handleHeard(A, this.now);
    this.run(millis(this.now + 1000));
    this.tunnel.handleProbeReply(this.nonce, this.now);
    this.run(this.now);
    this.tunnel.handleProbeReply(this.nonce, this.now);
    assert.equal(this.tunnel.state, 'up');
  }
}

describe('a tunnel whose node answers nowhere', () => {
  it('asks all candidates, each the first in turn, and rests longer and longer, up to ten minutes', () => {
    const bench = new Bench(A, B);
    assert.deepEqual(bench.run(millis(6999)), [
      '0 hello 192.0.2.1:1',
      '0 hello 192.0.2.2:2',
      '1000 failed',
      '6000 hello 192.0.2.2:2',
      '6000 hello 192.0.2.1:1',
    ]);
    const rounds = bench.run(seconds(3600)).filter((line) => line.endsWith('hello 192.0.2.1:1'));
    const last = rounds.slice(-5).map((line) => Number.parseInt(line));
    assert.equal(last[4] - last[3], 601_000);
    assert.equal(bench.tunnel.state, 'trying');
  });

  it('gets a handshake where it has answered before, and nowhere else', () => {
    const bench = new Bench(A, B);
    bench.tunnel.candidates.hear(B, millis(0));
    const seen = bench.run(millis(11_999));
    // While a candidate has its turn it is probed again each second: what the first probe found may not be all.
    assert.equal(seen.filter((line) => line.endsWith('probe')).length, 6);
    assert.deepEqual(
      seen.filter((line) => !/\d probe$/.test(line) || /^1000 /.test(line)),
      [
        '0 hello 192.0.2.2:2',
        '0 hello 192.0.2.1:1',
        '1000 endpoint 192.0.2.2:2',
        '1000 hello 192.0.2.2:2',
        '1000 probe',
        '7000 failed',
      ],
    );
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

  it('but never a handshake, is tried ever more seldom, however often and at however many endpoints it is heard', () => {
    const bench = new Bench(A);
    let tries = 0;
    for (let second = 1; second <= 600; second++) {
      bench.tunnel.handleHeard(second % 2 === 0 ? A : B, bench.now);
      tries += bench.run(seconds(second)).filter((line) => line.includes('endpoint')).length;
    }
    assert.ok(tries <= 12, `${tries} tries in ten minutes`);
  });
});

describe('a tunnel that is up', () => {
  /** What goes out while every probe is answered at once. */
  function runAnswered(bench: Bench, until: Millis): string[] {
    const seen: string[] = [];
    for (;;) {
      seen.push(...bench.drain());
      bench.tunnel.handleProbeReply(bench.nonce, bench.now);
      const next = bench.tunnel.nextTimeout();
      if (next === undefined || next > until) return seen;
      bench.now = next;
      bench.tunnel.handleTimeout(bench.now);
    }
  }

  /** The other side probes, and was answered the last time. */
  function handleConfirmed(bench: Bench, nonce: bigint): void {
    const probe = { kind: 'probe', nonce, wish: 'likes', isInterested: true, isConfirmed: true } as const;
    bench.tunnel.handleProbe(probe, true, bench.now);
  }

  function times(lines: readonly string[]): number[] {
    return lines.map((line) => Number.parseInt(line));
  }

  it('is probed less and less often, down to twice a minute or a little less', () => {
    const bench = new Bench(A);
    bench.bringUp();
    const probes = times(runAnswered(bench, seconds(300)));
    assert.ok(probes.length < 20, `${probes.length}`);
    // Every other nonce of these leaves the next probe to the other side, which is waited for.
    assert.equal(probes.at(-1)! - probes.at(-3)!, 30_000 + 37_500);
  });

  it('is probed five times a second while it carries traffic, and for three seconds after', () => {
    const bench = new Bench(A);
    bench.bringUp();
    runAnswered(bench, seconds(100));
    bench.now = seconds(100);
    bench.tunnel.handleActive(bench.now);
    const probes = times(runAnswered(bench, seconds(110))).map((at) => at - 100_000);
    assert.equal(probes.filter((at) => at <= 3000).length, 16);
    assert.ok(probes.length < 25);
  });

  it('leaves probing at rest to the side whose turn it is by the last nonce', () => {
    const bench = new Bench(A);
    bench.bringUp();
    runAnswered(bench, seconds(120));
    for (let second = 120; second <= 600; second += 60) {
      bench.now = seconds(second);
      handleConfirmed(bench, 2n);
      assert.deepEqual(runAnswered(bench, seconds(second + 30)), []);
      bench.now = seconds(second + 30);
      handleConfirmed(bench, 1n);
      assert.deepEqual(times(runAnswered(bench, seconds(second + 60))), [(second + 60) * 1000]);
    }
  });

  it('is probed by one side alone, and more often, once it has not answered after a rest', () => {
    const bench = new Bench(A);
    bench.bringUp();
    runAnswered(bench, seconds(120));
    const failedAt = bench.tunnel.nextTimeout() ?? bench.now;
    bench.run(millis(failedAt + 5000));
    const probes = times(runAnswered(bench, seconds(400)));
    assert.equal(probes.at(-1)! - probes.at(-2)!, 20_000);
    for (let second = 400; second <= 600; second += 20) {
      bench.now = seconds(second);
      handleConfirmed(bench, 1n);
      assert.deepEqual(runAnswered(bench, seconds(second + 20)), []);
    }
  });

  it('is probed every second at rest while nothing comes back, and lost after fifteen', () => {
    const bench = new Bench(A);
    bench.bringUp();
    const seen = bench.run(seconds(60));
    const first = times(seen)[0];
    assert.deepEqual(
      seen.slice(0, 17).map((line) => `${Number.parseInt(line) - first}${line.replace(/^\d+/, '')}`),
      [...Array.from({ length: 15 }, (_, i) => `${i * 1000} probe`), '15000 lost', '15000 hello 192.0.2.1:1'],
    );
    assert.equal(bench.tunnel.state, 'lost');
  });

  it('is lost half a second after its last answer while it carries traffic', () => {
    const bench = new Bench(A);
    bench.bringUp();
    bench.tunnel.handleActive(bench.now);
    runAnswered(bench, seconds(2));
    const lost = bench.run(seconds(4)).find((line) => line.endsWith('lost'));
    assert.ok(lost !== undefined && Number.parseInt(lost) <= 2500, lost);
  });

  it('is lost a tenth of a second after the kernel refused to send on it, unless it answers', () => {
    const bench = new Bench(A);
    bench.bringUp();
    bench.tunnel.handleError(bench.now);
    runAnswered(bench, seconds(2));
    assert.equal(bench.tunnel.state, 'up');
    bench.now = seconds(2);
    bench.tunnel.handleError(bench.now);
    assert.deepEqual(bench.run(millis(2100)).slice(0, 3), ['2000 probe', '2050 probe', '2100 lost']);
  });

  it('is given more time where many probes are lost by chance', () => {
    const bench = new Bench(A);
    bench.bringUp();
    // Two of three are not answered.
    for (let i = 0; i < 600; i++) {
      bench.tunnel.handleActive(bench.now);
      bench.run(millis(bench.now + 100));
      if (i % 3 === 0) bench.tunnel.handleProbeReply(bench.nonce, bench.now);
      assert.equal(bench.tunnel.state, 'up');
    }
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
    bench.tunnel.handleHeard(A, bench.now);
    bench.run(seconds(2));
    bench.tunnel.handleProbeReply(bench.nonce, bench.now);
    assert.equal(bench.tunnel.smoothedRtt, undefined);
    bench.run(bench.now);
    bench.tunnel.handleProbeReply(bench.nonce, millis(bench.now + 80));
    assert.equal(bench.tunnel.smoothedRtt, 80);
    bench.run(bench.tunnel.nextTimeout()!);
    bench.tunnel.handleProbeReply(bench.nonce, millis(bench.now + 160));
    assert.equal(bench.tunnel.smoothedRtt, 90);
  });

  it('takes no answer that belongs to no probe, nor one twice', () => {
    const bench = new Bench(A);
    bench.tunnel.handleHeard(A, bench.now);
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

describe('a tunnel that nobody is interested in', () => {
  it('sends nothing, whatever is heard', () => {
    const bench = new Bench(A);
    bench.run(millis(0));
    bench.tunnel.want(false, bench.now);
    bench.run(seconds(10));
    bench.tunnel.handleHeard(A, bench.now);
    bench.tunnel.handleSession(bench.now);
    assert.deepEqual(bench.run(seconds(600)), []);
  });

  it('is found when there is traffic, and kept for two minutes after', () => {
    const bench = new Bench(A);
    bench.tunnel.want(false, bench.now);
    bench.drain();
    bench.tunnel.handleActive(bench.now);
    bench.bringUp();
    for (;;) {
      const seen = bench.run(bench.tunnel.nextTimeout() ?? bench.now);
      bench.tunnel.handleProbeReply(bench.nonce, bench.now);
      if (bench.tunnel.state !== 'up') break;
      assert.ok(seen.length > 0 && bench.now < seconds(160));
    }
    assert.ok(bench.now >= seconds(120));
    assert.deepEqual(bench.drain(), [`${bench.now} idle`]);
  });
});

describe('a tunnel to a node that relays reach', () => {
  function relayed(): Bench {
    const bench = new Bench(A);
    bench.tunnel.setRelay(true, bench.now);
    return bench;
  }

  it('does not move the endpoint before a Hello was answered', () => {
    const bench = relayed();
    const seen = bench.run(seconds(60));
    assert.equal(seen[0], '0 relay');
    assert.ok(seen.slice(1).every((line) => !line.includes('endpoint') && !line.includes('probe')));
    bench.tunnel.handleHeard(A, bench.now);
    assert.equal(bench.drain()[0], '60000 endpoint 192.0.2.1:1');
  });

  it('goes back to the relays within a second where the endpoint then stays silent', () => {
    const bench = relayed();
    bench.run(millis(0));
    bench.tunnel.handleHeard(A, bench.now);
    const seen = bench.run(seconds(1));
    assert.equal(seen.at(-2), '1000 relay');
    assert.equal(seen.at(-1), '1000 failed');
  });

  it('goes back to the relays at once when the direct path is lost', () => {
    const bench = relayed();
    bench.run(millis(0));
    bench.tunnel.handleHeard(A, bench.now);
    bench.tunnel.handleProbeReply(bench.nonce, bench.now);
    bench.tunnel.handleError(bench.now);
    const seen = bench.run(millis(100));
    assert.deepEqual(seen.slice(seen.indexOf('100 lost')), ['100 lost', '100 relay', '100 hello 192.0.2.1:1']);
  });
});
