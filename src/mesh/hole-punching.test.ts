import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { ClientsForTesting, outsideOf } from './clients-for-testing.ts';
import { NatForTesting, type NatOptions } from './nat-for-testing.ts';

type Behaviour = Omit<NatOptions, 'outside' | 'timeout'>;

const PORT_RESTRICTED: Behaviour = {
  mapping: 'endpoint-independent',
  filtering: 'address-and-port-dependent',
  keepsPort: true,
  isRefreshedInbound: true,
};
const CHANGED_PORTS: Behaviour = { ...PORT_RESTRICTED, keepsPort: false };
const FULL_CONE: Behaviour = { ...CHANGED_PORTS, filtering: 'endpoint-independent' };
const SYMMETRIC: Behaviour = { ...CHANGED_PORTS, mapping: 'address-and-port-dependent' };

function behind(nats: readonly Behaviour[], timeout: Millis): ClientsForTesting {
  return new ClientsForTesting(
    identityPrimitives,
    nats.map((behaviour, i) => ({ nat: new NatForTesting({ outside: outsideOf(i), timeout, ...behaviour }) })),
  );
}

describe('two nodes behind NATs that talk over a hub', () => {
  for (const [name, a, b] of [
    ['both filter by port', PORT_RESTRICTED, PORT_RESTRICTED],
    ['both change ports, alike for all destinations, and filter by port', CHANGED_PORTS, CHANGED_PORTS],
    ['one maps by destination, the other lets everybody in', SYMMETRIC, FULL_CONE],
    ['one lets everybody in, the other maps by destination', FULL_CONE, SYMMETRIC],
  ] as const) {
    it(`become direct within five seconds, and nothing is lost meanwhile: ${name}`, () => {
      const net = behind([a, b], seconds(120));
      net.runFor(seconds(5));
      assert.equal(net.path('a', 'b'), 'relayed');
      assert.equal(net.talk(seconds(5)), 0);
      assert.deepEqual([net.path('a', 'b'), net.path('b', 'a')], ['direct', 'direct']);
      assert.equal(net.talk(seconds(10)), 0);
    });
  }

  for (const [name, a, b] of [
    ['both map by destination', SYMMETRIC, SYMMETRIC],
    ['one maps by destination, the other filters by port', SYMMETRIC, PORT_RESTRICTED],
  ] as const) {
    it(`stay relayed, and nothing is lost while more is tried: ${name}`, () => {
      const net = behind([a, b], seconds(120));
      net.runFor(seconds(5));
      assert.equal(net.talk(seconds(60)), 0);
      assert.deepEqual([net.path('a', 'b'), net.path('b', 'a')], ['relayed', 'relayed']);
    });
  }
});

describe('a path through NATs at rest', () => {
  const others = Array.from({ length: 6 }, (_, i) => `other${i}`);

  for (const [timeout, isRefreshedInbound] of [
    [seconds(15), true],
    [seconds(15), false],
    [seconds(25), true],
    [seconds(25), false],
    [seconds(60), false],
  ] as const) {
    const by = isRefreshedInbound ? 'packets in both directions' : 'what goes out alone';
    it(`lets everybody in, once it is known that they forget within ${timeout / 1000} s, refreshed by ${by}`, () => {
      const net = behind(Array<Behaviour>(2).fill({ ...CHANGED_PORTS, isRefreshedInbound }), timeout);
      // So that there is not always something to say to the same neighbour.
      for (const [i, name] of others.entries()) {
        net.runFor(seconds(1.37));
        net.startOutside(name, outsideOf(109 + i));
      }
      net.talk(seconds(5));
      net.runFor(seconds(1800));
      net.events.length = 0;
      const missing: string[] = [];
      for (let i = 0; i < 18; i++) {
        // Never in step with anything.
        net.runFor(seconds(195 + i * 1.7));
        for (const from of ['hub', 'a', ...others]) {
          if (net.path(from, 'b') !== 'direct') continue;
          const before = net.delivered.length;
          net.sendData(from, 'b');
          net.runFor(millis(50));
          if (net.delivered.length === before) missing.push(`${from} at ${net.now}`);
        }
      }
      assert.deepEqual(missing, []);
      assert.deepEqual(
        net.events.filter(({ event }) => event.kind === 'lost').map(({ host, event }) => `${host} ${event.hostName}`),
        [],
      );
    });
  }
});
