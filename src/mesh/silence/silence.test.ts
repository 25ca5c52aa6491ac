import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../../crypto/node.ts';
import { seconds, type Millis } from '../../machine/index.ts';
import { NetworkForTesting } from '../network-for-testing.ts';

/** What a host was told within the first `length`, and never later than ten seconds after the start. */
function noticesOf(network: NetworkForTesting, host: string, length: Millis = seconds(600)): string[] {
  network.runFor(length);
  const notices = network.notices.filter((notice) => notice.host === host);
  for (const { at } of notices) assert.ok(at <= 10_000, `${at}`);
  return notices.map(({ notice }) => notice.kind);
}

function nodeIdOf(network: NetworkForTesting, host: string): string {
  return network.node(host).nodeId;
}

describe('a silent network', () => {
  it('says nothing of nodes that find each other', () => {
    const network = new NetworkForTesting(identityPrimitives);
    for (const name of ['a', 'b', 'c']) network.start(name);
    for (const name of ['a', 'b', 'c']) assert.deepEqual(noticesOf(network, name), []);
  });

  it('is told to be one where nobody is heard', () => {
    const network = new NetworkForTesting(identityPrimitives);
    network.start('a');
    assert.deepEqual(noticesOf(network, 'a'), ['alone']);
  });

  it('is told to be a matter of the name where another mesh is heard, on both sides, once', () => {
    const network = new NetworkForTesting(identityPrimitives);
    network.start('a', { meshName: 'home' });
    network.start('b', { meshName: 'hmoe' });
    network.start('c', { meshName: 'hmoe' });
    for (const name of ['a', 'b', 'c']) assert.deepEqual(noticesOf(network, name), ['foreign-mesh']);
    const told = network.notices.flatMap(({ host, notice }) => (host === 'a' ? [notice] : []));
    assert.deepEqual(told, [{ kind: 'foreign-mesh', senders: 2, from: network.linkLocalEndpoint('b') }]);
  });

  it('is told to be deaf where nothing comes in, and to others not to answer', () => {
    const network = new NetworkForTesting(identityPrimitives);
    network.isLost = (_, to) => to === 'b';
    network.isDeaf = (host) => host === 'b';
    network.start('a');
    network.start('b');
    assert.deepEqual(noticesOf(network, 'a'), ['unanswered']);
    assert.deepEqual(noticesOf(network, 'b'), ['deaf']);
    const [unanswered] = network.notices.filter(({ host }) => host === 'a');
    assert.deepEqual(unanswered.notice, { kind: 'unanswered', from: network.linkLocalEndpoint('b') });
  });

  it('is told to be a refusal where a node answers and does not trust us, to whom it does not', () => {
    const network = new NetworkForTesting(identityPrimitives);
    network.start('open');
    network.start('pinned', { trust: { mode: 'pinned', nodeIds: new Set() } });
    assert.deepEqual(noticesOf(network, 'open'), ['refused']);
    const [refused] = network.notices.map(({ notice }) => (notice.kind === 'refused' ? notice.nodeId : ''));
    assert.equal(refused, nodeIdOf(network, 'pinned'));
    assert.deepEqual(noticesOf(network, 'pinned'), []);
  });

  it('fills no log when a stranger says Hello from ever new addresses', () => {
    const network = new NetworkForTesting(identityPrimitives);
    network.isLost = (_, to) => to.startsWith('forger');
    network.start('a');
    for (let i = 0; i < 100; i++) network.start(`forger${i}`);
    network.runFor(seconds(600));
    const told = network.notices.filter(({ host }) => host === 'a');
    assert.ok(told.length > 0 && told.length <= 4, `${told.length}`);
  });
});
