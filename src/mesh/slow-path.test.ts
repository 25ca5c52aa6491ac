import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { NetworkForTesting } from './network-for-testing.ts';

interface SlowLink {
  /** Of a round trip without jitter. */
  readonly roundTrip: number;
  /** The largest that is added to a round trip, evenly. */
  readonly jitter?: number;
  readonly loss?: number;
}

const FAST = millis(2);

/** a and b share link 1, which is slow. A relay may have fast links to both. */
class SlowNetwork extends NetworkForTesting {
  #state = 1;

  constructor({ roundTrip, jitter = 0, loss = 0 }: SlowLink, hasRelay: boolean) {
    super(identityPrimitives);
    const slow = () => millis((roundTrip + jitter * this.#chance()) / 2);
    this.onSent = ({ link }) => (this.latency = link === 1 ? slow() : FAST);
    this.isLost = (_from, _to, link) => link === 1 && this.#chance() < loss;
    this.start('a', { links: hasRelay ? [1, 2] : [1] });
    this.start('b', { links: hasRelay ? [1, 3] : [1] });
    if (hasRelay) this.start('relay', { links: [2, 3] });
  }

  /** a and b send to each other for so long. @returns how often each said that the direct path is up, or lost */
  talk(length: Millis): { up: number; lost: number; missing: number } {
    const [events, delivered] = [this.events.length, this.delivered.length];
    const interval = millis(50);
    for (let i = 0; i < length / interval; i++) {
      this.sendData('a', 'b');
      this.sendData('b', 'a');
      this.runFor(interval);
    }
    const count = (kind: string) => this.events.slice(events).filter(({ event }) => event.kind === kind).length;
    const sent = (2 * length) / interval;
    return { up: count('tunnel-up'), lost: count('lost'), missing: sent - (this.delivered.length - delivered) };
  }

  isDirect(): boolean {
    return this.up('a').includes('b') && this.up('b').includes('a');
  }

  #chance(): number {
    // Numerical Recipes' generator: the same chance in each run.
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }
}

const LINKS: readonly SlowLink[] = [300, 600, 1500].flatMap((roundTrip) => [
  { roundTrip },
  { roundTrip, jitter: roundTrip },
  { roundTrip, loss: 0.05 },
  { roundTrip, jitter: roundTrip, loss: 0.05 },
]);

function named({ roundTrip, jitter = 0, loss = 0 }: SlowLink): string {
  return `of ${roundTrip} ms${jitter > 0 ? ' with jitter of its own size' : ''}${loss > 0 ? ' and 5 % loss' : ''}`;
}

describe('a path with a long round trip', () => {
  for (const link of LINKS) {
    it(`${named(link)} is up soon and stays up under traffic`, () => {
      const net = new SlowNetwork(link, false);
      // The description takes three round trips, the Hellos one, the handshake and the first probe two. What is lost is
      // repeated, an initiation after five seconds.
      net.talk(millis(10_000 + 8 * link.roundTrip));
      assert.ok(net.isDirect());
      assert.equal(net.talk(seconds(150)).lost, 0);
    });

    it(`${named(link)} is found beside a relay, and stays up under traffic`, () => {
      const net = new SlowNetwork(link, true);
      net.talk(seconds(20));
      assert.ok(net.isDirect());
      const { lost } = net.talk(seconds(150));
      assert.equal(lost, 0);
    });
  }
});

describe('a path that comes and goes', () => {
  /** Link 1 carries nothing for three of each ten seconds. */
  function flap(net: SlowNetwork): void {
    const isLost = net.isLost;
    net.isLost = (from, to, link) => (link === 1 && net.now % 10_000 >= 7000) || isLost(from, to, link);
  }

  /** Who has said so. */
  function unstable(net: SlowNetwork): string[] {
    return net.events.flatMap(({ host, event }) => (event.kind === 'unstable' ? [host] : [])).sort();
  }

  it('is left alone for a while where relays reach the node, and said to be unstable', () => {
    const net = new SlowNetwork({ roundTrip: 10 }, true);
    flap(net);
    net.talk(seconds(60));
    assert.deepEqual(unstable(net), ['a', 'b']);
    const { lost, missing } = net.talk(seconds(600));
    // Of sixty cuts.
    assert.ok(lost <= 2 * 7, `${lost} times lost, on both sides`);
    assert.ok(missing < 0.02 * 24_000, `${missing} packets lost`);
  });

  it('goes on being tried where there is no relay, and is said to be unstable', () => {
    const net = new SlowNetwork({ roundTrip: 10 }, false);
    flap(net);
    net.talk(seconds(60));
    assert.deepEqual(unstable(net), ['a', 'b']);
    assert.ok(net.talk(seconds(100)).missing < 0.4 * 4000);
  });

  it('is a path like any other once it has stayed up for four minutes', () => {
    const net = new SlowNetwork({ roundTrip: 10 }, false);
    const { isLost } = net;
    flap(net);
    net.talk(seconds(60));
    net.isLost = isLost;
    net.talk(seconds(240));
    assert.ok(net.isDirect());
    assert.ok(
      net
        .node('a')
        .status()
        .nodes.every(({ isUnstable }) => !isUnstable),
    );
  });
});
