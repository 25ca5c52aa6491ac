import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseAead } from '../crypto/aead.ts';
import { nodePrimitives } from '../crypto/node.ts';
import { parseEndpoint, parsePrefix } from '../inet/index.ts';
import { Pair } from './pair-for-testing.ts';

const somewhere = parseEndpoint('203.0.113.9:9')!;

function newPair(): Pair {
  const pair = new Pair(nodePrimitives(chooseAead().aead));
  pair.configure();
  return pair;
}

describe('sources that a peer may use besides its allowed IPs', () => {
  /** Whether `right` delivers a packet of `left` from 10.0.0.1, which `allowedIps` gives to somebody else. */
  function isDelivered(acceptFrom: readonly string[], allowedIps: string): boolean {
    const pair = newPair();
    const { publicKey } = pair.left.keys;
    const peers = [
      { publicKey, replaceAllowedIps: true, acceptFrom: acceptFrom.map((text) => parsePrefix(text)!) },
      { publicKey: new Uint8Array(32).fill(3), allowedIps: [{ prefix: parsePrefix(allowedIps)! }] },
    ];
    pair.right.device.configure({ peers }, pair.now);
    pair.send(pair.left, 'a');
    pair.run(1000);
    return pair.right.delivered.length === 1;
  }

  it('are let through, also where another peer has the same prefix or a shorter one', () => {
    assert.ok(isDelivered(['10.0.0.0/24'], '192.0.2.0/24'));
    assert.ok(isDelivered(['0.0.0.0/0'], '0.0.0.0/0'));
    assert.ok(isDelivered(['192.0.2.0/24', '10.0.0.0/7', '10.0.0.0/24', 'fd00::/8'], '10.0.0.0/8'));
  });

  it('are those of another peer that has a longer prefix, and none but these', () => {
    assert.ok(!isDelivered(['10.0.0.0/24'], '10.0.0.1/32'));
    assert.ok(!isDelivered(['0.0.0.0/0'], '10.0.0.0/8'));
    assert.ok(!isDelivered(['10.0.1.0/24', 'fd00::/8', '10.0.0.2/32'], '192.0.2.0/24'));
    assert.ok(!isDelivered([], '0.0.0.0/0'));
  });
});

describe('an endpoint that must not replace others', () => {
  it('is answered, but is not the endpoint of the peer afterwards, whoever began', () => {
    for (const begins of ['left', 'right'] as const) {
      const pair = newPair();
      const known = pair.left.endpoint;
      pair.left.endpoint = somewhere;
      pair.right.device.mayRoam = (_peer, from) => from !== somewhere;
      pair.send(pair[begins], 'a');
      pair.run(1000);
      assert.deepEqual(pair.peerOf(pair.right).endpoint, known);
      assert.equal(pair.left.delivered.length + pair.right.delivered.length, 1);
    }
  });
});
