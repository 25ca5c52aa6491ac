import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parseEndpoint, type IpAddress } from '../inet/index.ts';
import type { NodeEvent } from '../mesh/index.ts';
import { describeEvent } from './event-words.ts';

const ID = 'be'.repeat(28);
const BETA: Omit<NodeEvent, 'kind'> = {
  nodeId: ID,
  address: parseAddress('fd77::1') as IpAddress,
  hostName: 'beta',
  endpoint: parseEndpoint('[fe80::1%3]:7077'),
  foundBy: 'beacon',
};
const ELSEWHERE = { endpoint: parseEndpoint('192.0.2.1:7077') };

describe('the words for an event', () => {
  const rows: [event: NodeEvent, level: string, words: string][] = [
    [{ ...BETA, kind: 'found' }, 'info', 'found beta (fd77::1) on eth0 by beacon'],
    [
      { ...BETA, ...ELSEWHERE, kind: 'found', foundBy: 'gossip' },
      'info',
      'found beta (fd77::1) at 192.0.2.1:7077 by gossip',
    ],
    [{ ...BETA, kind: 'found', endpoint: undefined }, 'info', 'found beta (fd77::1) by beacon'],
    [{ ...BETA, kind: 'trusted' }, 'info', `trusted beta (node id ${ID})`],
    [
      { ...BETA, kind: 'refused', reason: 'its node id is not pinned' },
      'warn',
      `ignored beta (node id ${ID}): its node id is not pinned; to trust it add "--pin ${ID}"`,
    ],
    [{ ...BETA, kind: 'tunnel-up' }, 'info', 'tunnel to beta (bebebebe) up on eth0, 0.6 ms'],
    [{ ...BETA, kind: 'lost' }, 'warn', 'lost the direct path to beta (bebebebe)'],
    [{ ...BETA, kind: 'rerouted', reason: 'via gamma' }, 'info', 'beta (bebebebe) is reached via gamma'],
    [{ ...BETA, kind: 'rerouted', reason: 'none' }, 'info', 'beta (bebebebe) is reached no more'],
    [
      { ...BETA, kind: 'table-full' },
      'warn',
      'the table of 1024 nodes is full, so that beta (bebebebe) and others find no room; if these are more than you have, choose whom to trust by "--pin"',
    ],
    [{ ...BETA, kind: 'left' }, 'info', 'beta (bebebebe) has left'],
  ];
  for (const [event, level, words] of rows) {
    it(`are "${words.replaceAll(ID, 'ID')}"`, () => {
      const linkName = (index: number) => (index === 3 ? 'eth0' : undefined);
      assert.deepEqual(describeEvent(event, { endpoint: event.endpoint, linkName, roundTripTimeMs: 0.613 }), {
        level,
        words,
      });
    });
  }
});
