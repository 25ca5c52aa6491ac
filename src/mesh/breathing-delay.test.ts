import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { millis, seconds } from '../machine/index.ts';
import { NetworkForTesting } from './network-for-testing.ts';

/** From a to c there are two ways: over b, whose second link breathes, and over d, which is always the same. */
const BREATHING = 2;

function square(): NetworkForTesting {
  const net = new NetworkForTesting(identityPrimitives);
  for (const [link, latency] of [
    [BREATHING, 10],
    [3, 20],
    [4, 20],
  ]) {
    net.latencyOfLink.set(link, millis(latency));
  }
  net.start('a', { links: [1, 3] });
  net.start('b', { links: [1, BREATHING] });
  net.start('c', { links: [BREATHING, 4] });
  net.start('d', { links: [3, 4] });
  return net;
}

/** a and c send to each other for so long. @returns when, from now, the way from a was another one, and which */
function talk(net: NetworkForTesting, length: number): string[] {
  const from = net.now;
  const changes: string[] = [];
  let via = viaOf(net);
  for (let at = 0; at < length; at += 50) {
    net.sendData('a', 'c');
    net.sendData('c', 'a');
    net.runFor(millis(50));
    if (viaOf(net) === via) continue;
    via = viaOf(net);
    changes.push(`${Math.ceil((net.now - from) / 1000)} s: ${via}`);
  }
  return changes;
}

function viaOf(net: NetworkForTesting): string {
  const path = net
    .node('a')
    .status()
    .nodes.find(({ hostName }) => hostName === 'c')?.path;
  return path?.kind === 'relayed' ? path.via : String(path?.kind);
}

describe('a way whose delay breathes between 10 and 200 ms', () => {
  it('is left within 10 s while it carries traffic, and the way does not flap', () => {
    const net = square();
    net.runFor(seconds(20));
    talk(net, seconds(10));
    assert.equal(viaOf(net), 'b');
    net.latencyOfLink.set(BREATHING, millis(200));
    const changes = talk(net, seconds(30));
    assert.equal(changes.length, 1, changes.join());
    assert.match(changes[0], /^\d s: d$/);
  });
});
