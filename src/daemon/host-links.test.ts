import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointOf, formatEndpoint, parseAddress, type IpAddress } from '../inet/index.ts';
import type { Link, LinkAddress } from '../linux/index.ts';
import { viewHost } from './host-links.ts';

function link(index: number, name: string, change: Partial<Link> = {}): Link {
  const usual = {
    up: true,
    running: true,
    isLoopback: false,
    isPointToPoint: false,
    supportsMulticast: true,
    mtu: 1500,
  };
  return { index, name, ...usual, ...change };
}

function address(interfaceIndex: number, text: string, isTentative = false): LinkAddress {
  return { interfaceIndex, address: parseAddress(text) as IpAddress, prefixLength: 64, isTentative };
}

const LINKS = [
  link(1, 'lo', { isLoopback: true, supportsMulticast: false }),
  link(2, 'eth0'),
  link(3, 'eth1'),
  link(4, 'unplugged', { running: false }),
  link(5, 'vpn0', { isPointToPoint: true }),
  link(6, 'wm0', { isPointToPoint: true }),
];
const LINK_LOCALS = [2, 3, 4, 5].map((index) => address(index, `fe80::${index}`));

function linksOf(addresses: LinkAddress[], chosen: string[] = []): string[] {
  return viewHost(LINKS, addresses, { chosen, port: 7077, tunnel: 'wm0' }).links.map(({ name }) => name);
}

function endpointsOf(...addresses: LinkAddress[]): string[] {
  return viewHost(LINKS, addresses, { chosen: [], port: 7077, tunnel: 'wm0' }).endpoints.map(formatEndpoint);
}

describe('the links that beacons go out on', () => {
  it('are all that can have neighbours: with a carrier, neither loopback nor tunnel', () => {
    assert.deepEqual(linksOf(LINK_LOCALS), ['eth0', 'eth1']);
  });

  it('are the chosen ones where some are chosen, a tunnel too', () => {
    assert.deepEqual(linksOf(LINK_LOCALS, ['vpn0', 'unplugged', 'eth9']), ['vpn0']);
  });

  it('do not include a link whose address is still being checked: nothing can be sent from it', () => {
    assert.deepEqual(linksOf([address(2, 'fe80::2', true), address(3, 'fe80::3')]), ['eth1']);
  });
});

describe('the endpoints a node offers', () => {
  const rows: [text: string, interfaceIndex: number, endpoints: string[]][] = [
    ['192.0.2.1', 2, ['192.0.2.1:7077']],
    ['2001:db8::1', 2, ['[2001:db8::1]:7077']],
    ['fd00::1', 1, ['[fd00::1]:7077']],
    ['127.0.0.1', 1, []],
    ['::1', 1, []],
    ['169.254.3.4', 2, []],
    ['fe80::1', 2, []],
    ['fd77::1', 5, []],
    ['10.77.0.5', 5, ['10.77.0.5:7077']],
    ['10.77.0.5', 6, []],
  ];
  for (const [text, interfaceIndex, endpoints] of rows) {
    it(`${endpoints.length === 0 ? 'do not include' : 'include'} ${text} of ${LINKS[interfaceIndex - 1].name}`, () => {
      assert.deepEqual(endpointsOf(address(interfaceIndex, text)), endpoints);
    });
  }

  it('are not all that it has: others are not to name the rest to us either', () => {
    const all = [address(1, '127.0.0.1'), address(2, '192.0.2.1')];
    assert.deepEqual(viewHost(LINKS, all, { chosen: [], port: 7077, tunnel: 'wm0' }).addresses, all);
  });

  it('do not include an address that another host may have', () => {
    assert.deepEqual(endpointsOf(address(2, '2001:db8::1', true)), []);
  });

  it('are ordered by use: default route, other links, bridges, tunnels, loopback; both families in turn', () => {
    const links = [...LINKS, link(7, 'docker0', { kind: 'bridge' }), link(8, 'br0', { kind: 'bridge' })];
    const loopback = Array.from({ length: 16 }, (_, i) => address(1, `198.51.100.${i + 1}`));
    const others = [
      address(7, '172.17.0.1'),
      address(5, '10.9.0.5'),
      address(2, '192.168.1.5'),
      address(8, '10.0.0.1'),
      address(8, '203.0.113.8'),
      address(8, '203.0.113.9'),
      address(8, '2001:db8::8'),
      address(8, 'fd00::8'),
    ];
    const choice = { chosen: [], port: 7077, tunnel: 'wm0' };
    const { endpoints } = viewHost(links, [...loopback, ...others], choice, new Set(['br0']));
    assert.deepEqual(endpoints.map(formatEndpoint), [
      '[2001:db8::8]:7077',
      '203.0.113.8:7077',
      '203.0.113.9:7077',
      '[fd00::8]:7077',
      '10.0.0.1:7077',
      '192.168.1.5:7077',
      '172.17.0.1:7077',
      '10.9.0.5:7077',
      ...loopback.map((entry) => formatEndpoint(endpointOf(entry.address, 7077))),
    ]);
  });
});
