/** Hole punching for pairs of NATs and delays between the clients and their NATs: in which it ends with a direct path. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import type { IpAddress } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { ClientsForTesting, outsideOf } from './clients-for-testing.ts';
import { ConntrackForTesting } from './conntrack-for-testing.ts';
import { NatForTesting, type Nat } from './nat-for-testing.ts';

const RFC_4787 = {
  mapping: 'endpoint-independent',
  keepsPort: false,
  timeout: seconds(120),
  isRefreshedInbound: true,
} as const;

const NATS = {
  'kept by Linux': (outside) => new ConntrackForTesting(outside, 'kept'),
  'changed by Linux, alike for all': (outside) => new ConntrackForTesting(outside, 'one'),
  'restricted by address': (outside) => new NatForTesting({ outside, ...RFC_4787, filtering: 'address-dependent' }),
  'restricted by port': (outside) =>
    new NatForTesting({ outside, ...RFC_4787, filtering: 'address-and-port-dependent' }),
  'changed by Linux, for each': (outside) => new ConntrackForTesting(outside, 'random'),
} satisfies Record<string, (outside: IpAddress) => Nat>;

type Kind = keyof typeof NATS;

const DELAYS = [0, 5, 20, 60, 200].map(millis);

/** In theory, too: who gives each destination another port is found by him only who does not look at ports. */
function canBeDirect(a: Kind, b: Kind): boolean {
  return [
    [a, b],
    [b, a],
  ].every(([one, other]) => one !== 'changed by Linux, for each' || other === 'restricted by address');
}

const kinds = Object.keys(NATS) as Kind[];
const pairs = kinds.flatMap((a, i) => kinds.slice(i).map((b) => [a, b] as const));

describe('two clients that talk over a hub', () => {
  for (const [a, b] of pairs) {
    const isDirect = canBeDirect(a, b);
    it(`${isDirect ? 'are direct within 5 s' : 'stay relayed'} whatever the delays: ports ${a}, and ${b}`, () => {
      const others: string[] = [];
      for (const delayOfA of DELAYS) {
        for (const delayOfB of DELAYS) {
          const net = new ClientsForTesting(identityPrimitives, [
            { nat: NATS[a](outsideOf(0)), accessDelay: delayOfA },
            { nat: NATS[b](outsideOf(1)), accessDelay: delayOfB },
          ]);
          net.latency = millis(10);
          net.runFor(seconds(8));
          assert.equal(net.path('a', 'b'), 'relayed');
          net.talk(seconds(5));
          const wereDirect = net.eventsOf('a').includes('tunnel-up b') && net.eventsOf('b').includes('tunnel-up a');
          if (wereDirect !== isDirect) others.push(`${delayOfA} ms, ${delayOfB} ms`);
        }
      }
      assert.deepEqual(others, []);
    });
  }
});

describe('two clients behind Linux routers whose direct path was cut', () => {
  it('find it again within a minute, though each tried meanwhile', () => {
    const nats = [0, 1].map((i) => new ConntrackForTesting(outsideOf(i), 'kept'));
    const net = new ClientsForTesting(
      identityPrimitives,
      nats.map((nat, i) => ({ nat, accessDelay: millis(60 * i) })),
    );
    net.runFor(seconds(8));
    net.talk(seconds(5));
    assert.equal(net.path('a', 'b'), 'direct');
    net.isLost = (from, to) => from !== 'hub' && to !== 'hub';
    net.talk(seconds(100));
    assert.equal(net.path('a', 'b'), 'relayed');
    net.isLost = () => false;
    net.talk(seconds(60));
    assert.deepEqual([net.path('a', 'b'), net.path('b', 'a')], ['direct', 'direct']);
  });
});
