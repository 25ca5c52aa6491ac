/** A thief who wants the address that a member offers, `10.77.0.5/32`, where everybody's offers are believed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { formatPrefix, parsePrefix, type Prefix } from '../inet/index.ts';
import { seconds } from '../machine/index.ts';
import { ROUTED } from './gateways.ts';
import { NetworkForTesting, type HostOptions } from './network-for-testing.ts';

const ADDRESS = parsePrefix('10.77.0.5/32') as Prefix;
const BELIEVED = [{ prefix: parsePrefix('10.77.0.0/16') as Prefix, covers: 'within', from: 'any' }] as const;
const VICTIMS_KEY = Uint8Array.from({ length: 32 }, (_, i) => i + 1);

function offering(preference: number, options: HostOptions = {}): HostOptions {
  return { ...options, networks: [{ kind: ROUTED, prefix: ADDRESS, preference }] };
}

function network(): NetworkForTesting {
  const sim = new NetworkForTesting(identityPrimitives);
  sim.start('client', { imports: BELIEVED });
  return sim;
}

/** Who has the address, as the client sees it. */
function owner(sim: NetworkForTesting): string | undefined {
  const { nodes, networks } = sim.node('client').status();
  const view = networks.imported.find(({ prefix }) => formatPrefix(prefix) === '10.77.0.5/32');
  const inUse = view?.offers.find(({ isInUse }) => isInUse)?.nodeId;
  return nodes.find(({ nodeId }) => nodeId === inUse)?.hostName;
}

describe('the address that a member offers', () => {
  const victim = offering(0, { wireGuardPrivateKey: VICTIMS_KEY });
  const thieves: [what: string, options: HostOptions][] = [
    ["who has the victim's WireGuard key", offering(65_535, { wireGuardPrivateKey: VICTIMS_KEY })],
    ['who offers it at a higher preference', offering(65_535)],
  ];
  for (const [what, thief] of thieves) {
    it(`stays with it when a thief comes ${what}`, () => {
      const sim = network();
      sim.start('victim', victim);
      sim.runFor(seconds(20));
      assert.equal(owner(sim), 'victim');
      sim.start('thief', thief);
      for (let second = 0; second < 60; second++) {
        sim.runFor(seconds(1));
        assert.equal(owner(sim), 'victim');
      }
    });

    it(`stays with it when a thief comes ${what} while it starts again, ten times`, () => {
      const sim = network();
      sim.start('victim', victim);
      sim.runFor(seconds(20));
      for (let n = 0; n < 10; n++) {
        sim.kill('victim');
        sim.start('thief', thief);
        sim.runFor(seconds(25));
        assert.equal(owner(sim), 'victim');
        sim.kill('thief');
        sim.start('victim', victim);
        sim.runFor(seconds(25));
        assert.equal(owner(sim), 'victim');
        assert.ok(sim.up('client').includes('victim'));
      }
    });
  }

  it('is his who offered it first, if that is the thief, until he has gone; nobody can tell who is right', () => {
    const sim = network();
    sim.start('thief', offering(0));
    sim.runFor(seconds(20));
    sim.start('victim', victim);
    sim.runFor(seconds(20));
    assert.equal(owner(sim), 'thief');
    const refused = sim.events.filter(({ host, event }) => host === 'client' && event.kind === 'offer-refused');
    assert.deepEqual(
      refused.map(({ event }) => [event.hostName, event.reason]),
      [['victim', 'offer-of-taken-address']],
    );
  });

  it('is its own, whoever offered it first, if the client names the member', () => {
    const sim = new NetworkForTesting(identityPrimitives);
    const { nodeId } = sim.start('victim', victim);
    sim.kill('victim');
    const named = { prefix: ADDRESS, covers: 'exactly', from: new Set([nodeId]) } as const;
    sim.start('client', { imports: [...BELIEVED, named] });
    sim.start('thief', offering(65_535));
    sim.runFor(seconds(20));
    sim.start('victim', victim);
    sim.runFor(seconds(20));
    assert.equal(owner(sim), 'victim');
  });
});
