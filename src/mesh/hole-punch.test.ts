import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEndpoint, parseEndpoint, type Endpoint } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { HolePunch, type HolePunchOptions, type HolePunchOutput } from './hole-punch.ts';
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

const create = (candidates: readonly Endpoint[] = [OWN], options: Partial<HolePunchOptions> = {}) =>
  new HolePunch({
    ownCandidates: () => candidates,
    roundTripToRelay: () => millis(50),
    isPreferredCaller: true,
    ...options,
  });

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
    const times = [0, 50, 150, 350, 750, 1550, 2350].map((at) => 1200 + at);
    assert.deepEqual(
      run(punch, seconds(30)),
      times.map((at) => `${at} hello 198.51.100.2:7077`),
    );
  });

  it('begins, having called, by its round trip to the relay sooner than who has answered', () => {
    for (const [roundTrip, at] of [
      [0, 1250],
      [400, 850],
      [2000, 0],
    ]) {
      const punch = create([OWN], { roundTripToRelay: () => millis(roundTrip) });
      punch.handleWish(start);
      drained(punch);
      punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, start);
      assert.equal(run(punch, seconds(5))[0], `${at} hello 198.51.100.2:7077`);
    }
  });

  it('sends less than the call that it was pointed there by, however many it names', () => {
    const many = Array.from({ length: 8 }, (_, i) => parseEndpoint(`198.51.100.${i + 1}:7077`)!);
    for (const candidates of [[OTHER, THIRD], many]) {
      const punch = create();
      punch.handleCall({ pleaseAnswer: false, candidates }, start);
      assert.equal(run(punch, seconds(60)).length * HELLO_BYTES <= MAX_MESSAGE_BYTES, true);
    }
  });

  it('answers a call, and begins when its answer has been there for long', () => {
    const punch = create();
    punch.handleCall({ pleaseAnswer: true, candidates: [OTHER] }, start);
    assert.deepEqual(run(punch, millis(1250)), ['0 answer 203.0.113.1:7077', '1250 hello 198.51.100.2:7077']);
  });

  it('answers a call that is repeated, and begins by the last answer', () => {
    const punch = create();
    punch.handleCall({ pleaseAnswer: true, candidates: [OTHER] }, start);
    drained(punch);
    punch.handleCall({ pleaseAnswer: true, candidates: [OTHER] }, seconds(1));
    assert.deepEqual(run(punch, millis(2250), seconds(1)), [
      '1000 answer 203.0.113.1:7077',
      '2250 hello 198.51.100.2:7077',
    ]);
  });

  it('when both sides have called at the same time, the call of one of them counts', () => {
    const caller = create([OWN], { isPreferredCaller: true });
    caller.handleWish(start);
    drained(caller);
    caller.handleCall({ pleaseAnswer: true, candidates: [OTHER] }, start);
    assert.deepEqual(run(caller, millis(999)), []);
    const answerer = create([OWN], { isPreferredCaller: false });
    answerer.handleWish(start);
    drained(answerer);
    answerer.handleCall({ pleaseAnswer: true, candidates: [OTHER] }, start);
    assert.deepEqual(run(answerer, millis(1250)), ['0 answer 203.0.113.1:7077', '1250 hello 198.51.100.2:7077']);
  });

  it('begins anew when the other side has moved, but not more than once a second', () => {
    const punch = create();
    punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, start);
    run(punch, millis(1200));
    punch.handleCall({ pleaseAnswer: false, candidates: [THIRD] }, millis(2199));
    assert.equal(punch.isTarget(THIRD), false);
    punch.handleCall({ pleaseAnswer: false, candidates: [THIRD] }, millis(2200));
    assert.deepEqual(run(punch, millis(3400), millis(2200)), ['3400 hello 198.51.100.2:40000']);
  });

  it('stops when there is a path', () => {
    const punch = create();
    punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, start);
    punch.stop();
    assert.equal(punch.nextTimeout(), undefined);
  });

  it('is silent after a failure for longer than Linux remembers what came in unasked, and ever longer', () => {
    const punch = create();
    let now = start;
    const waits = Array.from({ length: 6 }, () => {
      punch.handleCall({ pleaseAnswer: false, candidates: [OTHER] }, now);
      run(punch, millis(now + 60_000), now);
      const failedAt = now + 4200;
      for (now = millis(failedAt); punch.nextTimeout() === undefined; now = millis(now + 1000)) punch.handleWish(now);
      drained(punch);
      return now - 1000 - failedAt;
    });
    assert.deepEqual(waits, [35_000, 70_000, 140_000, 280_000, 560_000, 600_000]);
  });

  it('calls again after 10 s where nobody has answered', () => {
    const punch = create();
    punch.handleWish(start);
    run(punch, seconds(60));
    punch.handleWish(millis(12_999));
    assert.deepEqual(drained(punch), []);
    punch.handleWish(seconds(13));
    assert.deepEqual(drained(punch).map(described), ['call 203.0.113.1:7077']);
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
    assert.equal(run(punch, millis(1200)).length, 7);
  });

  it('tells eight of its own candidates at most', () => {
    const many = Array.from({ length: 20 }, (_, i) => parseEndpoint(`203.0.113.${i + 1}:7077`)!);
    const punch = create(many);
    punch.handleWish(start);
    const [call] = drained(punch);
    assert.equal(call.kind === 'call' && call.candidates.length, 8);
  });
});
