/** A stranger off the path, who would like to be the path: he sends Hellos in the names of two nodes, and passes on all he gets. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { addressesEqual, endpointOf, parseAddress, type IpAddress } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { meshTag, NO_SIGNATURE, writeMessage } from './messages.ts';
import { NetworkForTesting, PORT, type HostOptions } from './network-for-testing.ts';
import type { MeshNode } from './node.ts';

const TAG = meshTag('test', identityPrimitives);

function address(last: number): IpAddress {
  return parseAddress(`192.0.2.${last}`) as IpAddress;
}

function routed(last: number, ...bootstrap: number[]): HostOptions {
  const endpoints = bootstrap.map((n) => endpointOf(address(n), PORT));
  return { links: [], addresses: [address(last)], bootstrap: endpoints };
}

/** What the stranger does with a datagram that he is to pass on: whether it is lost. */
type Habit = (count: number) => boolean;

/**
 * Nodes a, b and c, who all know each other, and strangers who pass on between a and c.
 * @returns forges `count` Hellos of each of the two to the other, from every stranger
 */
function besieged(habit: Habit, strangers = [9]): { sim: NetworkForTesting; forge: (count: number) => void } {
  const sim = new NetworkForTesting(identityPrimitives);
  sim.start('a', routed(1, 2));
  sim.start('b', routed(2));
  sim.start('c', routed(3, 2));
  let passed = 0;
  for (const last of strangers) {
    sim.attach(`x${last}`, { links: [], addresses: [address(last)] }, (wire, source) => {
      const passedOn = wire.kind === 'mesh' ? wire.datagram : wire;
      const isFromA = addressesEqual(source.address, address(1));
      if (!habit(passed++)) sim.inject(`x${last}`, passedOn, endpointOf(address(isFromA ? 3 : 1), PORT));
    });
  }
  sim.runFor(seconds(10));
  const forge = (count: number): void => {
    for (let i = 0; i < count; i++) {
      for (const last of strangers) {
        for (const [name, victim] of [
          ['a', 3],
          ['c', 1],
        ] as const) {
          const { nodeId, sequence } = sim.node(name).status().self;
          const beacon = { nodeId, sequence, knownSequence: 0, echo: 0n, target: undefined, signature: NO_SIGNATURE };
          const hello = { kind: 'hello', ...beacon, challenge: BigInt(i + 1), pleaseAnswer: true } as const;
          sim.inject(`x${last}`, writeMessage(hello, TAG), endpointOf(address(victim), PORT));
        }
      }
      sim.runFor(millis(100));
    }
  };
  return { sim, forge };
}

/** The last byte of the address at which `name` has the node `other`; `undefined` over relays. */
function endpointAt(sim: NetworkForTesting, name: string, other: string): number | undefined {
  const view = sim
    .node(name)
    .status()
    .nodes.find(({ hostName }) => hostName === other);
  return view?.endpoint?.address.family === 4 ? view.endpoint.address.bytes.at(-1) : undefined;
}

const HABITS: [what: string, habit: Habit][] = [
  ['passes on everything', () => false],
  ['loses half of it', (count) => count % 2 === 0],
  ['passes on nothing', () => true],
];

for (const [what, habit] of HABITS) {
  describe(`a stranger who forges Hellos and ${what}`, () => {
    for (const [count, strangers] of [
      [58, [9]],
      [580, [9]],
      [58, [9, 10, 11]],
    ] as const) {
      const siege = `${count} Hellos from ${strangers.length}`;

      it(`does not move the endpoint of a node whose path is up (${siege})`, () => {
        const { sim, forge } = besieged(habit, [...strangers]);
        assert.deepEqual(sim.up('a'), ['b', 'c']);
        forge(count);
        assert.deepEqual([endpointAt(sim, 'a', 'c'), endpointAt(sim, 'c', 'a')], [3, 1]);
        assert.deepEqual(sim.up('a'), ['b', 'c']);
      });

      it(`is not the path while the direct one is cut, and it is found again within 5 s when it heals (${siege})`, () => {
        const { sim, forge } = besieged(habit, [...strangers]);
        const isOfPair = (from: string, to: string) => [from, to].sort().join('') === 'ac';
        sim.isLost = isOfPair;
        forge(count);
        for (const [name, other] of [
          ['a', 'c'],
          ['c', 'a'],
        ] as const) {
          assert.ok((endpointAt(sim, name, other) ?? 0) < 9, `${name} has ${other} at a stranger's`);
        }
        sim.isLost = () => false;
        const before = sim.delivered.length;
        for (let i = 0; i < 50; i++) {
          sim.sendData('a', 'c');
          sim.runFor(millis(100));
        }
        assert.ok(sim.delivered.length > before + 40, `${sim.delivered.length - before} of 50 arrived`);
        assert.ok((endpointAt(sim, 'a', 'c') ?? 0) < 9);
      });

      it(`is not the path when a node starts anew (${siege})`, () => {
        const { sim, forge } = besieged(habit, [...strangers]);
        sim.kill('c');
        sim.runFor(seconds(20));
        sim.start('c', routed(3, 2));
        forge(count);
        assert.deepEqual([endpointAt(sim, 'a', 'c'), endpointAt(sim, 'c', 'a')], [3, 1]);
      });
    }
  });
}

describe('a stranger who forges Hellos while the path is up', () => {
  it('is not tried when it is cut afterwards', () => {
    const { sim, forge } = besieged(() => false);
    forge(58);
    sim.isLost = (from, to) => [from, to].sort().join('') === 'ac';
    for (let i = 0; i < 100; i++) {
      sim.sendData('a', 'c');
      sim.runFor(millis(100));
      assert.notEqual(endpointAt(sim, 'a', 'c'), 9);
    }
    const view = sim
      .node('a')
      .status()
      .nodes.find(({ hostName }) => hostName === 'c');
    assert.ok(view?.candidates.every(({ address: { bytes } }) => bytes.at(-1) !== 9));
  });
});

describe('310 forged beacons', () => {
  it('keep a pair on a link apart for no longer than none do', () => {
    const timeToUp = (beacons: number): number => {
      const sim = new NetworkForTesting(identityPrimitives);
      sim.start('a');
      sim.attach('x', { links: [1] }, () => undefined);
      const { nodeId } = sim.start('b').status().self;
      sim.kill('b');
      for (let i = 0; i < beacons; i++) {
        const beacon = {
          nodeId,
          sequence: i + 1,
          knownSequence: 0,
          challenge: 0n,
          echo: 0n,
          pleaseAnswer: false,
        } as const;
        const hello = { kind: 'hello', ...beacon, target: undefined, signature: NO_SIGNATURE } as const;
        sim.inject('x', writeMessage(hello, TAG), sim.linkLocalEndpoint('a'));
      }
      sim.runFor(millis(10));
      const startedAt = sim.now;
      sim.start('b');
      while (sim.up('a').length === 0 && sim.now - startedAt < 20_000) sim.runFor(millis(50));
      return sim.now - startedAt;
    };
    assert.ok(timeToUp(310) <= timeToUp(0) + 1000);
    assert.ok(timeToUp(3100) <= timeToUp(0) + 1000);
  });
});

describe('a stranger with two addresses, between nodes that have private ones', () => {
  for (const count of [58, 580]) {
    it(`is not the path, though nobody has told them yet where they are seen (${count} Hellos)`, () => {
      const sim = new NetworkForTesting(identityPrimitives);
      const at = (text: string) => ({ links: [], addresses: [parseAddress(text) as IpAddress] });
      const [a, c] = [sim.start('a', at('10.1.0.1')), sim.start('c', at('10.2.0.1'))];
      const passOn = (from: string, by: string, to: string) => {
        sim.attach(from, at(from), (wire) => {
          const what = wire.kind === 'mesh' ? wire.datagram : wire;
          sim.inject(by, what, endpointOf(parseAddress(to) as IpAddress, PORT));
        });
      };
      // To a he is c, at .9; to c he is a, at .10.
      passOn('192.0.2.9', '192.0.2.10', '10.2.0.1');
      passOn('192.0.2.10', '192.0.2.9', '10.1.0.1');
      // What they say of their addresses leads nowhere: each is behind a NAT of its own.
      sim.isLost = (from, to) => [from, to].sort().join('') === 'ac';
      for (let i = 0; i < count; i++) {
        sim.inject('192.0.2.9', helloOf(c, i), endpointOf(parseAddress('10.1.0.1') as IpAddress, PORT));
        sim.inject('192.0.2.10', helloOf(a, i), endpointOf(parseAddress('10.2.0.1') as IpAddress, PORT));
        sim.runFor(millis(100));
      }
      for (const name of ['a', 'c']) {
        assert.deepEqual(sim.up(name), []);
        assert.ok(
          sim
            .node(name)
            .status()
            .nodes.every(({ endpoint }) => endpoint === undefined),
          name,
        );
        assert.ok((sim.node(name).status().drops['hello-redirected'] ?? 0) > 0, `${name} has been tried`);
      }
    });
  }
});

describe('a stranger at an address that a node once had', () => {
  for (const perSecond of [2, 20]) {
    it(`makes it neither last longer nor come first by unsigned Hellos (${perSecond} a second)`, () => {
      const { sim } = besieged(() => false, []);
      assert.equal(endpointAt(sim, 'a', 'c'), 3);
      sim.kill('c');
      const c = sim.start('c', routed(5, 2));
      sim.attach('x3', { links: [], addresses: [address(3)] }, () => undefined);
      const claim = (length: number): void => {
        for (let i = 0; i < length * perSecond; i++) {
          sim.inject('x3', helloOf(c, i), endpointOf(address(1), PORT));
          sim.sendData('a', 'c');
          sim.runFor(millis(1000 / perSecond));
        }
      };
      claim(620);
      assert.deepEqual([sim.up('a'), endpointAt(sim, 'a', 'c')], [['b', 'c'], 5]);
      // The path is cut, and found again, while there is traffic: what was heard ten minutes ago gets no handshake.
      let handshakes = 0;
      sim.onSent = ({ host, wire, to }) => {
        if (host === 'a' && wire.kind !== 'mesh' && to?.address.bytes.at(-1) === 3) handshakes += 1;
      };
      sim.isLost = (from, to) => [from, to].sort().join('') === 'ac';
      claim(20);
      assert.notEqual(endpointAt(sim, 'a', 'c'), 3);
      sim.kill('b');
      claim(20);
      sim.isLost = () => false;
      claim(80);
      assert.deepEqual([sim.up('a'), endpointAt(sim, 'a', 'c'), handshakes], [['c'], 5, 0]);
    });
  }
});

/** Unsigned, in the name of `node`, which anybody can make who has seen one. */
function helloOf(node: MeshNode, number: number): Uint8Array {
  const { nodeId, sequence } = node.status().self;
  const rest = { knownSequence: 0, echo: 0n, target: undefined, signature: NO_SIGNATURE, pleaseAnswer: true };
  return writeMessage({ kind: 'hello', nodeId, sequence, challenge: BigInt(number + 1), ...rest }, TAG);
}
