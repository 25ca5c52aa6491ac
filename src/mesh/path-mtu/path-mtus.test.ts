import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../../crypto/node.ts';
import { seconds, type Millis } from '../../machine/index.ts';
import { NetworkForTesting } from '../network-for-testing.ts';
import type { NodeView } from '../node-interface.ts';

function network(names: Record<string, readonly number[]>): NetworkForTesting {
  const net = new NetworkForTesting(identityPrimitives);
  for (const [name, links] of Object.entries(names)) net.start(name, { links });
  net.runFor(seconds(20));
  return net;
}

function viewOf(net: NetworkForTesting, of: string, at: string): NodeView {
  const view = net
    .node(at)
    .status()
    .nodes.find(({ hostName }) => hostName === of);
  assert.ok(view !== undefined);
  return view;
}

function mtuOf(net: NetworkForTesting, of: string, at: string): number | undefined {
  const { packetLimit } = viewOf(net, of, at);
  return packetLimit?.isProved === true ? packetLimit.mtu : undefined;
}

/** An application at `from` sends to `to`, five packets a second. */
function talk(net: NetworkForTesting, from: string, to: string, length: Millis): void {
  for (let at = 0; at < length; at += 200) net.schedule(at as Millis, () => net.sendData(from, to));
  net.runFor(length);
}

function said(net: NetworkForTesting, at: string): (string | undefined)[] {
  return net.events.flatMap(({ host, event }) =>
    host === at && event.kind.startsWith('path-') ? [`${event.kind} ${event.hostName}: ${event.reason}`] : [],
  );
}

describe('the path MTU between two nodes', () => {
  it('is known soon after the tunnel is up, to the device as well', () => {
    const net = network({ a: [1], b: [1] });
    assert.equal(mtuOf(net, 'b', 'a'), 1420);
    assert.deepEqual([...net.device('a').limits.values()], [{ mtu: 1420, isProved: true }]);
    assert.deepEqual(said(net, 'a'), []);
  });

  it('is what the path carries, and is said once', () => {
    const net = new NetworkForTesting(identityPrimitives);
    net.longest = () => 1400;
    for (const name of ['a', 'b']) net.start(name);
    net.runFor(seconds(20));
    talk(net, 'a', 'b', seconds(60));
    assert.equal(mtuOf(net, 'b', 'a'), 1312);
    assert.equal(said(net, 'a').length, 1);
    assert.match(`${said(net, 'a')[0]}`, /path-narrow b: packets longer than 1312 bytes do not arrive/);
  });

  it('is one thing there and another back', () => {
    const net = new NetworkForTesting(identityPrimitives);
    net.longest = (from) => (from === 'a' ? 1400 : Infinity);
    for (const name of ['a', 'b']) net.start(name);
    net.runFor(seconds(20));
    assert.equal(mtuOf(net, 'b', 'a'), 1312);
    assert.equal(mtuOf(net, 'a', 'b'), 1420);
  });

  it('follows within four seconds when it shrinks under traffic, and when it grows again in ten minutes', () => {
    const net = network({ a: [1], b: [1] });
    talk(net, 'a', 'b', seconds(10));
    net.longest = () => 1400;
    talk(net, 'a', 'b', seconds(4));
    assert.equal(mtuOf(net, 'b', 'a'), 1312);
    net.longest = () => Infinity;
    talk(net, 'a', 'b', seconds(610));
    assert.equal(mtuOf(net, 'b', 'a'), 1420);
    assert.match(`${said(net, 'a').at(-1)}`, /path-whole b: packets of 1420 bytes pass again/);
  });

  it('costs nothing at rest', () => {
    const net = network({ a: [1], b: [1] });
    let long = 0;
    net.onSent = ({ wire }) => {
      if (wire.kind === 'transport' && wire.inner.kind === 'mesh' && wire.inner.datagram.length > 1000) long++;
    };
    net.runFor(seconds(3600));
    assert.equal(long, 0);
  });
});

describe('the path MTU over a relay', () => {
  const LINE = { a: [1], r: [1, 2], b: [2] };

  it('is as long as datagrams over relays are where all hops carry all, and looked for when there is traffic', () => {
    const net = network(LINE);
    assert.equal(mtuOf(net, 'b', 'a'), undefined);
    talk(net, 'a', 'b', seconds(3));
    assert.equal(viewOf(net, 'b', 'a').path.kind, 'relayed');
    assert.equal(mtuOf(net, 'b', 'a'), 1328);
  });

  it('is that of the narrowest hop', () => {
    const net = new NetworkForTesting(identityPrimitives);
    net.longest = (_from, _to, link) => (link === 2 ? 1400 : Infinity);
    for (const [name, links] of Object.entries(LINE)) net.start(name, { links });
    net.runFor(seconds(20));
    talk(net, 'a', 'b', seconds(5));
    assert.equal(mtuOf(net, 'b', 'a'), 1232);
    assert.equal(mtuOf(net, 'r', 'a'), 1420);
  });

  it('begins anew from a safe length when the way changes', () => {
    const net = network({ a: [1, 3], r: [1, 2], s: [3, 4], b: [2, 4] });
    net.longest = (_from, _to, link) => (link === 4 ? 1400 : Infinity);
    talk(net, 'a', 'b', seconds(5));
    const first = viewOf(net, 'b', 'a').path;
    assert.ok(first.kind === 'relayed');
    const [dead, found] = first.via === 'r' ? [1, 1232] : [3, 1328];
    net.isLost = (_from, _to, link) => link === dead;
    talk(net, 'a', 'b', seconds(10));
    const second = viewOf(net, 'b', 'a').path;
    assert.ok(second.kind === 'relayed' && second.via !== first.via);
    assert.equal(mtuOf(net, 'b', 'a'), found);
  });
});
