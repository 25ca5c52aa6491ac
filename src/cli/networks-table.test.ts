import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NodeNames } from './node-names.ts';
import { renderNetworks } from './networks-table.ts';

const gateway = (hostName: string, metric: number | undefined, isInUse: boolean) => ({
  ...{ nodeId: 'aa'.repeat(28), hostName, preference: 100, isInUse },
  ...(metric !== undefined && { metric }),
});

const nameOf: NodeNames = ({ hostName }) => hostName;

describe('the table of networks', () => {
  it('is left out where there are none', () => {
    assert.equal(renderNetworks({ offered: [], imported: [] }, nameOf, false), undefined);
  });

  it('shows what is offered, and who leads to what is imported', () => {
    const text = renderNetworks(
      {
        offered: [{ prefix: '10.77.0.5/32', preference: 100 }],
        imported: [
          { prefix: '0.0.0.0/0', gateways: [gateway('gate-a', 96.4, true), gateway('gate\u001b-b', 110, false)] },
          { prefix: '10.0.0.0/8', gateways: [gateway('lost', undefined, true), gateway('gone', undefined, false)] },
        ],
      },
      nameOf,
      false,
    );
    const lines = text!.split('\n');
    assert.equal(lines[0], 'offers 10.77.0.5/32 (preference 100)');
    assert.match(lines[2], /^NETWORK +GATEWAY +PREFERENCE +METRIC +STATE$/);
    assert.match(lines[3], /^0\.0\.0\.0\/0 +gate-a +100 +96 +in use$/);
    assert.match(lines[4], /^ +gate[^\u001b]*-b +100 +110 +standby$/);
    assert.match(lines[5], /^10\.0\.0\.0\/8 +lost +100 +- +in use, unreachable$/);
    assert.match(lines[6], /^ +gone +100 +- +unreachable$/);
  });
});
