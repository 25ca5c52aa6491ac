import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { endpointOf, parseAddress, type IpAddress } from '../inet/index.ts';
import { millis, seconds, type Millis } from '../machine/index.ts';
import { NatForTesting, type NatOptions } from './nat-for-testing.ts';
import { NetworkForTesting, PORT } from './network-for-testing.ts';
import type { Path } from './node-interface.ts';

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

function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  assert.ok(parsed);
  return parsed;
}

const HUB = address('198.51.100.100');

/** A hub in the open, and clients a, b, … each behind a NAT of its own. */
class Clients extends NetworkForTesting {
  constructor(nats: readonly Behaviour[], timeout: Millis) {
    super(identityPrimitives);
    this.startOutside('hub', HUB);
    for (const [i, behaviour] of nats.entries()) {
      this.start('ab'[i], {
        ...{ links: [], addresses: [address(`192.168.${i + 1}.2`)], bootstrap: [endpointOf(HUB, PORT)] },
        nat: new NatForTesting({ outside: address(`198.51.100.${i + 1}`), timeout, ...behaviour }),
      });
    }
  }

  startOutside(name: string, at: IpAddress): void {
    this.start(name, { links: [], addresses: [at], bootstrap: name === 'hub' ? [] : [endpointOf(HUB, PORT)] });
  }

  path(from: string, to: string): Path['kind'] | undefined {
    const { nodes } = this.node(from).status();
    return nodes.find(({ hostName }) => hostName === to)?.path.kind;
  }

  /** a and b send to each other, and nobody else to anybody. @returns how many packets have not arrived */
  talk(length: Millis, interval = millis(20)): number {
    const before = this.delivered.length;
    const count = length / interval;
    for (let i = 0; i < count; i++) {
      this.sendData('a', 'b');
      this.sendData('b', 'a');
      this.runFor(interval);
    }
    this.runFor(millis(100));
    return 2 * count - (this.delivered.length - before);
  }
}

describe('two nodes behind NATs that talk over a hub', () => {
  for (const [name, a, b] of [
    ['both filter by port', PORT_RESTRICTED, PORT_RESTRICTED],
    ['both change ports, alike for all destinations, and filter by port', CHANGED_PORTS, CHANGED_PORTS],
    ['one maps by destination, the other lets everybody in', SYMMETRIC, FULL_CONE],
    ['one lets everybody in, the other maps by destination', FULL_CONE, SYMMETRIC],
  ] as const) {
    it(`become direct within five seconds, and nothing is lost meanwhile: ${name}`, () => {
      const net = new Clients([a, b], seconds(120));
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
      const net = new Clients([a, b], seconds(120));
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
      const net = new Clients(Array<Behaviour>(2).fill({ ...CHANGED_PORTS, isRefreshedInbound }), timeout);
      // So that there is not always something to say to the same neighbour.
      for (const [i, name] of others.entries()) {
        net.runFor(seconds(1.37));
        net.startOutside(name, address(`198.51.100.${110 + i}`));
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
