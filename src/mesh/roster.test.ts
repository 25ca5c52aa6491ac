import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { identityPrimitives } from '../crypto/node.ts';
import { seconds, millis, type Millis } from '../machine/index.ts';
import { addressOfNode } from './address.ts';
import type { Description } from './description.ts';
import { toHex } from './hex.ts';
import { Outbox } from './outbox.ts';
import { Roster } from './roster.ts';
import { MAX_NODES } from './standing.ts';

/** As if its signature had been looked at. */
function description(number: number): Description {
  const id = identityPrimitives.sha224(Uint8Array.of(number >> 16, number >> 8, number));
  const times = { issuedAt: millis(0), expiresAt: millis(9e14), sequence: 1 };
  const keys = { identityKey: id, wireGuardPublicKey: id, wireGuardKeyProof: id, bytes: id };
  const rest = { meshName: 'test', hostName: `n${number}`, endpoints: [], networks: [], capabilities: [] };
  return { nodeId: toHex(id), address: addressOfNode(id), ...keys, ...times, ...rest };
}

class Bench {
  readonly outbox = new Outbox(new Uint8Array(8));
  readonly roster = new Roster({
    ...{ trust: { mode: 'open' }, own: () => description(999_999), nonce: () => 1n, outbox: this.outbox },
    ...{ orderOf: (nodeId) => nodeId, onRemoved: () => undefined },
  });

  /** `neighbour` vouches for `count` nodes. @returns how many found room */
  fill(neighbour: string, first: number, count: number, now: Millis): number {
    const admit = (i: number) => this.roster.admit(description(first + i), { foundBy: 'gossip', neighbour }, now);
    return Array.from({ length: count }, (_, i) => admit(i)).filter((node) => node !== undefined).length;
  }

  events(): string[] {
    const said: string[] = [];
    for (let output = this.outbox.poll(); output !== undefined; output = this.outbox.poll()) {
      if (output.kind === 'event' && output.event.kind === 'table-full') said.push(output.event.hostName);
    }
    return said;
  }
}

describe('a table of nodes that is full', () => {
  it('is told of once, and counted after that', () => {
    const bench = new Bench();
    assert.equal(bench.fill('one', 0, MAX_NODES, millis(0)), MAX_NODES);
    assert.deepEqual(bench.events(), []);
    assert.equal(bench.fill('one', 5000, 100, seconds(1)), 0);
    const [node] = bench.roster.nodes.values();
    bench.roster.admit(description(7000), { foundBy: 'beacon' }, seconds(1));
    assert.deepEqual(bench.events(), ['n5000']);
    assert.equal(bench.outbox.drops['table-full'], 101);
    assert.ok(bench.roster.nodes.has(node));
  });

  it('evens out between those who vouch, at a small rate', () => {
    const bench = new Bench();
    bench.fill('one', 0, MAX_NODES, millis(0));
    assert.equal(bench.fill('two', 5000, 500, seconds(1)), 16);
    assert.equal(bench.outbox.drops['displacement-rate-limited'], 484);
    assert.equal(bench.fill('two', 6000, 500, seconds(101)), 10);
    assert.equal(bench.roster.nodes.values().length, MAX_NODES);
  });
});
