import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { parsePrefix } from '../inet/index.ts';
import { seconds } from '../machine/index.ts';
import type { ImportRule } from './entitlement.ts';
import { ROUTED } from './gateways.ts';
import { NetworkForTesting } from './network-for-testing.ts';

const EVERYWHERE = '0.0.0.0/0';
const everywhere = parsePrefix(EVERYWHERE)!;
const believed: ImportRule = { prefix: everywhere, covers: 'exactly', from: 'any' };

/** A client and two gateways, all on one link or in the order of `links`; `first` is preferred. */
function internet(links: Record<'client' | 'first' | 'second', number[]>): NetworkForTesting {
  const network = new NetworkForTesting(identityPrimitives);
  for (const [name, preference] of [
    ['first', 200],
    ['second', 100],
  ] as const) {
    // prettier-ignore
    network.start(name, { links: links[name], networks: [{ prefix: everywhere, kind: ROUTED, preference }] });
  }
  network.start('client', { links: links.client, imports: [believed] });
  return network;
}

const ONE_LINK = { client: [1], first: [1], second: [1] };

function viewOf(network: NetworkForTesting) {
  const [view] = network.node('client').status().networks.imported;
  const names = new Map(
    network
      .node('client')
      .status()
      .nodes.map(({ nodeId, hostName }) => [nodeId, hostName]),
  );
  return view?.offers.map((offer) => `${names.get(offer.nodeId)}${offer.isInUse ? '*' : ''}`);
}

/** The gateway in use. */
function used(network: NetworkForTesting): string | undefined {
  return viewOf(network)?.find((name) => name.endsWith('*'));
}

describe('a node that imports a network', () => {
  it('uses the preferred gateway, and tells the kernel', () => {
    const network = internet(ONE_LINK);
    network.runFor(seconds(20));
    assert.deepEqual(viewOf(network), ['first*', 'second']);
    assert.deepEqual([...network.importRoutes.get('client')!], [EVERYWHERE]);
    assert.equal(network.importRoutes.get('second'), undefined);
  });

  it('uses the other within a second when the one in use dies, traffic or not', () => {
    const network = internet(ONE_LINK);
    network.runFor(seconds(100));
    network.kill('first');
    network.runFor(seconds(1));
    assert.equal(used(network), 'second*');
  });

  it('uses the first again when that has been back for a while', () => {
    const network = internet(ONE_LINK);
    network.runFor(seconds(30));
    network.kill('first');
    network.runFor(seconds(10));
    network.start('first', { networks: [{ prefix: everywhere, kind: ROUTED, preference: 200 }] });
    network.runFor(seconds(4));
    assert.equal(used(network), 'second*');
    network.runFor(seconds(6));
    assert.equal(used(network), 'first*');
  });

  it('does not hold to a dead gateway because others still announce it', () => {
    // The dead one has a neighbour of its own, who has no traffic and thus no reason to notice soon.
    const network = internet({ client: [1, 2], first: [1, 3], second: [2] });
    network.start('bystander', { links: [1, 3] });
    network.runFor(seconds(100));
    assert.deepEqual(viewOf(network), ['first*', 'second']);
    const chosen = () => network.eventsOf('client').filter((event) => event.startsWith('gateway-chosen'));
    const before = chosen().length;
    network.kill('first');
    network.runFor(seconds(1));
    assert.equal(used(network), 'second*');
    network.runFor(seconds(60));
    assert.deepEqual(viewOf(network), ['second*', 'first']);
    assert.deepEqual(chosen().slice(before), ['gateway-chosen second']);
  });

  it('does not go back to a dead gateway because the other one still announces it', () => {
    const network = internet({ client: [1, 2], first: [1, 3], second: [2, 3] });
    network.runFor(seconds(100));
    const chosen = () => network.eventsOf('client').filter((event) => event.startsWith('gateway-chosen'));
    const before = chosen().length;
    network.kill('first');
    network.runFor(seconds(60));
    assert.deepEqual(chosen().slice(before), ['gateway-chosen second']);
  });

  it('uses the preferred gateway over a relay when the link to it has gone', () => {
    const network = internet({ client: [1, 2], first: [1, 3], second: [2, 3] });
    network.runFor(seconds(100));
    network.isLost = (from, to) => [from, to].sort().join() === 'client,first';
    network.runFor(seconds(10));
    assert.equal(used(network), 'first*');
  });

  it('reaches gateways over relays', () => {
    const network = internet({ client: [1], first: [2], second: [3] });
    network.start('relay', { links: [1, 2, 3] });
    network.runFor(seconds(30));
    assert.deepEqual(viewOf(network), ['first*', 'second']);
    network.kill('first');
    network.runFor(seconds(40));
    assert.equal(used(network), 'second*');
  });

  it('counts and reports offers that it does not believe, once each', () => {
    const network = new NetworkForTesting(identityPrimitives);
    network.start('client');
    network.start('liar', { networks: [{ prefix: everywhere, kind: ROUTED, preference: 1 }] });
    network.runFor(seconds(40));
    assert.equal(network.node('client').status().drops['offer-not-imported'], 1);
    assert.equal(network.eventsOf('client').filter((event) => event === 'offer-refused liar').length, 1);
    assert.equal(viewOf(network), undefined);
  });

  it('is no busier for gateways at rest than one probe in 200 ms', () => {
    const network = internet(ONE_LINK);
    network.runFor(seconds(60));
    const before = network.wakeUps.get('client')!;
    network.runFor(seconds(10));
    assert.ok(network.wakeUps.get('client')! - before < 150);
    const idle = network.wakeUps.get('second')!;
    network.runFor(seconds(10));
    assert.ok(network.wakeUps.get('second')! - idle < 20);
  });
});
