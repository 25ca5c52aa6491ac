import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEndpoint, parseEndpoint, type Endpoint } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { HolePunch, type HolePunchOutput } from './hole-punch.ts';
import { HELLO_BYTES, MAX_MESSAGE_BYTES } from './messages.ts';

const OWN = parseEndpoint('203.0.113.1:7077')!;
const OTHER = parseEndpoint('198.51.100.2:7077')!;
const THIRD = parseEndpoint('198.51.100.2:40000')!;
const start = millis(0);

function drained(punch: HolePunch): HolePunchOutput[] {
  const outputs: HolePunchOutput[] = [];
  for (let output = punch.poll(); output !== undefined; output = punch.poll()) outputs.push(output);
  return outputs;
}

/** What comes out until `until`, as text with the time of each. */
function run(punch: HolePunch, until: Millis, from = start): string[] {
  const seen: string[] = [];
  const note = (now: Millis) => seen.push(...drained(punch).map((output) => `${now} ${described(output)}`));
  note(from);
  for (let next = punch.nextTimeout(); next !== undefined && next <= until; next = punch.nextTimeout()) {
    punch.handleTimeout(next);
    note(next);
  }
  return seen;
}

function described(output: HolePunchOutput): string {
  if (output.kind === 'hello') return `hello ${formatEndpoint(output.to)}`;
  return `${output.pleaseAnswer ? 'call' : 'answer'} ${output.candidates.map(formatEndpoint).join(' ')}`;
}

const create = (candidates: readonly Endpoint[] = [OWN]) => new HolePunch(() => candidates);

describe('hole punching', () => {
  it('calls the other side with its own candidates, three times while nobody answers', () => {
    const punch = create();
    punch.handleWish(start);
    assert.deepEqual(run(punch, seconds(60)), [
      '0 call 203.0.113.1:7077',
      '1000 call 203.0.113.1:7077',
      '2000 call 203.0.113.1:7077',
    ]);
  });

  it('sends Hellos to all that the answer names, densely first, for three seconds', () => {
    const punch = create();
    punch.handleWish(start);
    drained(punch);
    punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, start);
    const times = [0, 50, 150, 350, 750, 1550, 2350];
    assert.deepEqual(
      run(punch, seconds(60)),
      times.map((at) => `${at} hello 198.51.100.2:7077`),
    );
  });

  it('sends less than the call that it was pointed there by, however many it names', () => {
    const many = Array.from({ length: 8 }, (_, i) => parseEndpoint(`198.51.100.${i + 1}:7077`)!);
    for (const candidates of [[OTHER, THIRD], many]) {
      const punch = create();
      punch.handleCall({ pleaseAnswer: false, candidates }, start);
      assert.equal(run(punch, seconds(60)).length * HELLO_BYTES <= MAX_MESSAGE_BYTES, true);
    }
  });

  it('answers a call, and begins at once', () => {
    const punch = create();
    punch.handleCall({ pleaseAnswer: true, candidates: [OTHER] }, start);
    assert.deepEqual(run(punch, millis(0)), ['0 answer 203.0.113.1:7077', '0 hello 198.51.100.2:7077']);
  });

  it('goes on where it is when both sides have called at the same time', () => {
    const punch = create();
    punch.handleWish(start);
    punch.handleCall({ pleaseAnswer: true, candidates: [OTHER] }, start);
    drained(punch);
    punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, start);
    assert.deepEqual(drained(punch), []);
    assert.equal(punch.nextTimeout(), 50);
  });

  it('begins anew when the other side has moved, but not more than once a second', () => {
    const punch = create();
    punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, start);
    drained(punch);
    punch.handleCall({ pleaseAnswer: false, candidates: [THIRD] }, millis(999));
    assert.deepEqual(drained(punch), []);
    punch.handleCall({ pleaseAnswer: false, candidates: [THIRD] }, seconds(1));
    assert.deepEqual(drained(punch).map(described), ['hello 198.51.100.2:40000']);
  });

  it('stops when there is a path', () => {
    const punch = create();
    punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, start);
    punch.stop();
    assert.equal(punch.nextTimeout(), undefined);
  });

  it('after a failure waits for 10 s, then 20 s, up to ten minutes, and then for a wish', () => {
    const punch = create();
    let now = start;
    const waits = Array.from({ length: 8 }, () => {
      punch.handleWish(now);
      assert.deepEqual(drained(punch).map(described), ['call 203.0.113.1:7077'], `at ${now}`);
      run(punch, millis(now + 60_000), now);
      const failedAt = now + 3000;
      for (now = millis(failedAt); ; now = millis(now + 1000)) {
        punch.handleWish(now);
        if (punch.nextTimeout() !== undefined) break;
      }
      drained(punch);
      const waited = now - failedAt;
      // The wish that ended the rest has begun the next attempt already: let that fail too.
      run(punch, millis(now + 60_000), now);
      now = millis(now + 3000 + 700_000);
      return waited;
    });
    assert.deepEqual(waits, [10_000, 40_000, 160_000, 600_000, 600_000, 600_000, 600_000, 600_000]);
  });

  it('asks nothing of addresses that mean nothing from here, nor more than a call is worth', () => {
    const punch = create();
    const senseless = ['127.0.0.1:1', '[fe80::1]:1', '[fd77::1]:7079', '255.255.255.255:9'].map((t) =>
      parseEndpoint(t)!,
    );
    punch.handleCall({ pleaseAnswer: false, candidates: senseless }, start);
    assert.deepEqual(drained(punch), []);
    const many = Array.from({ length: 20 }, (_, i) => parseEndpoint(`198.51.100.${i + 1}:7077`)!);
    punch.handleCall({ pleaseAnswer: false, candidates: many }, start);
    assert.equal(drained(punch).length, 7);
  });

  it('tells eight of its own candidates at most', () => {
    const many = Array.from({ length: 20 }, (_, i) => parseEndpoint(`203.0.113.${i + 1}:7077`)!);
    const punch = create(many);
    punch.handleWish(start);
    const [call] = drained(punch);
    assert.equal(call.kind === 'call' && call.candidates.length, 8);
  });
});
