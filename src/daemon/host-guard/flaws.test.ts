import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../../inet/index.ts';
import { flawsOf, lacksMainRule } from './flaws.ts';
import type { SeenHost, WantedHost } from './wanted.ts';

const ADDRESS = parseAddress('fd77::5')!;
const IPV4_ADDRESS = parseAddress('10.77.0.5')!;
const MESH = parsePrefix('fd77::/16')!;
const EVERYWHERE = parsePrefix('0.0.0.0/0')!;
const RULE = { priority: 32_079, table: 7077, protocol: 77, unlessMark: 7077 };

const WANTED: WantedHost = {
  link: { index: 3, name: 'wm0', mtu: 1420 },
  addresses: [
    { address: ADDRESS, length: 128 },
    { address: IPV4_ADDRESS, length: 32 },
  ],
  meshPrefix: MESH,
  routes: [
    { prefix: MESH, link: 'wm0', table: 7077, protocol: 77, source: ADDRESS },
    { prefix: EVERYWHERE, link: 'wm0', table: 7077, protocol: 77, source: IPV4_ADDRESS },
  ],
  rules: [{ family: 4, rule: RULE }],
};
const address = (value: typeof ADDRESS, prefixLength: number) => ({
  ...{ interfaceIndex: 3, address: value, prefixLength, isTentative: false },
});
const SEEN: SeenHost = {
  link: { name: 'wm0', up: true, mtu: 1420 },
  ipv6: 'on',
  isClosed: true,
  addresses: [address(ADDRESS, 128), address(IPV4_ADDRESS, 32)],
  routes: [
    { prefix: MESH, table: 254, protocol: 3, interfaceIndex: 3 },
    ...WANTED.routes.map((route) => ({ ...route, interfaceIndex: 3 })),
  ],
  rules: [
    { family: 4, protocol: 77, rule: RULE },
    { family: 4, protocol: 2, rule: { priority: 32_766, table: 254, protocol: 2 } },
  ],
};

function keys(seen: Partial<SeenHost>): string[] {
  return flawsOf(WANTED, { ...SEEN, ...seen }).map(({ key }) => key);
}

describe('what a mesh has put up on a host', () => {
  it('has no flaw where all is there, whatever else is', () => {
    const others = [address(parseAddress('192.0.2.7')!, 24)];
    assert.deepEqual(keys({ addresses: [...SEEN.addresses, ...others] }), []);
  });

  it('lacks what is not there, or there with something else about it', () => {
    assert.deepEqual(keys({ addresses: [address(ADDRESS, 64), address(IPV4_ADDRESS, 32)] }), ['address fd77::5']);
    assert.deepEqual(keys({ addresses: SEEN.addresses.map((entry) => ({ ...entry, interfaceIndex: 4 })) }), [
      'address fd77::5',
      'address 10.77.0.5',
    ]);
    const withoutSource = SEEN.routes.map(({ prefix, table, protocol }) => ({
      prefix,
      table,
      protocol,
      interfaceIndex: 3,
    }));
    assert.deepEqual(keys({ routes: withoutSource }), [
      'the route to fd77::/16 in table 7077',
      'the route to 0.0.0.0/0 in table 7077',
    ]);
    const weaker = { ...RULE, unlessMark: 1 };
    assert.deepEqual(keys({ rules: [{ family: 4, protocol: 77, rule: weaker }] }), ['the IPv4 rule 32079']);
    assert.deepEqual(keys({ rules: [{ family: 6, protocol: 77, rule: RULE }] }), ['the IPv4 rule 32079']);
  });

  it('is first mended where what is missing went with something else', () => {
    const bare = { addresses: [], routes: [] };
    assert.deepEqual(keys({ ...bare, link: { ...SEEN.link, up: false } }), ['up']);
    assert.deepEqual(keys({ ...bare, link: { ...SEEN.link, mtu: 1279 }, ipv6: 'missing' }), ['mtu']);
    assert.deepEqual(keys({ ...bare, link: { ...SEEN.link, name: 'other0' } }), ['name']);
  });

  it('is left with what the administrator may choose', () => {
    assert.deepEqual(keys({ link: { ...SEEN.link, mtu: 1280 } }), []);
  });

  it('of IPv4 is mended where IPv6 is off', () => {
    assert.deepEqual(keys({ ipv6: 'off', addresses: [], routes: [] }), [
      'ipv6',
      'address 10.77.0.5',
      'the route to 0.0.0.0/0 in table 7077',
    ]);
  });
});

describe('the rule to the main table', () => {
  it('is missed where there is none that leads there with its default route', () => {
    assert.ok(!lacksMainRule(SEEN, 4));
    assert.ok(lacksMainRule(SEEN, 6));
    const rule = { priority: 32_078, table: 254, protocol: 77, withoutDefault: true };
    assert.ok(lacksMainRule({ ...SEEN, rules: [{ family: 4, protocol: 77, rule }] }, 4));
  });
});
