import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatPrefix } from '../inet/index.ts';
import { MAX_NETWORKS } from '../mesh/index.ts';
import { contradictionIn, networksOf, type NetworkSettings } from './networks.ts';

const network = (...prefixes: string[]) => prefixes.map((prefix) => ({ prefix, preference: 100 }));
const any = (covers: 'prefix' | 'within', text: string) => [{ [covers]: text, from: 'any' as const }];

describe('the networks of a configuration', () => {
  it('are addresses, offers (the addresses among them) and rules for imports', () => {
    const { addresses, offers, imports } = networksOf({
      address: ['10.77.0.5/32'],
      network: [{ prefix: '0.0.0.0/0', preference: 200 }],
      import: [{ within: '10.77.0.0/16', from: ['ab'] }],
    });
    assert.deepEqual(addresses.map(formatPrefix), ['10.77.0.5/32']);
    const offered = offers.map(({ prefix, preference }) => [formatPrefix(prefix), preference]);
    assert.deepEqual(offered, [['10.77.0.5/32', 100], ['0.0.0.0/0', 200]]); // prettier-ignore
    assert.deepEqual(
      imports.map(({ prefix, covers, from }) => [formatPrefix(prefix), covers, from]),
      [['10.77.0.0/16', 'within', new Set(['ab'])]],
    );
  });

  const contradictions: [why: string, settings: NetworkSettings, path: unknown, says: RegExp][] = [
    ['offers a network twice', { network: network('::/0', '::/0') }, ['network', 1, 'prefix'], /second time/],
    ['offers its address as a network', { address: ['10.0.0.1/32'], network: network('10.0.0.1/32') }, ['network', 0, 'prefix'], /second time/], // prettier-ignore
    ['offers mesh addresses', { network: network('fd77:1::/32') }, ['network', 0, 'prefix'], /fd77::\/16/],
    ['offers more than a description holds', { network: network(...Array.from({ length: MAX_NETWORKS + 1 }, (_, i) => `10.0.${i}.0/24`)) }, ['network', MAX_NETWORKS, 'prefix'], /one too many/], // prettier-ignore
    ['imports mesh addresses', { import: any('prefix', 'fd77::/16') }, ['import', 0, 'prefix'], /fd77::\/16/],
    ['imports mesh addresses within', { import: any('within', 'fd77:1::/32') }, ['import', 0, 'within'], /fd77::\/16/],
    ['imports what it offers', { network: network('10.0.0.0/8'), import: any('prefix', '10.0.0.0/8') }, ['import', 0, 'prefix'], /is 10.0.0.0\/8/], // prettier-ignore
    ['imports a part of what it offers', { network: network('10.0.0.0/8'), import: any('within', '10.1.0.0/16') }, ['import', 0, 'within'], /part of 10.0.0.0\/8/], // prettier-ignore
    ['imports its address', { address: ['10.0.0.1/32'], import: any('prefix', '10.0.0.1/32') }, ['import', 0, 'prefix'], /offers itself/], // prettier-ignore
  ];
  for (const [why, settings, path, says] of contradictions) {
    it(`contradict each other where a node ${why}`, () => {
      const contradiction = contradictionIn(settings);
      assert.deepEqual(contradiction?.path, path);
      assert.match(contradiction?.message ?? '', says);
    });
  }

  it('may be imported around, and inside of, what the node offers, if it leads to everywhere', () => {
    const client = { address: ['10.77.0.5/32'], import: [...any('prefix', '0.0.0.0/0'), ...any('prefix', '::/0')] };
    const gateway = { network: network('0.0.0.0/0', '::/0'), import: any('within', '10.77.0.0/16') };
    assert.deepEqual([contradictionIn(client), contradictionIn(gateway)], [undefined, undefined]);
  });
});
