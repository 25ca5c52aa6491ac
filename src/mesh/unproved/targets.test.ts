import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parseEndpoint, type Endpoint, type IpAddress } from '../../inet/index.ts';
import { Targets } from './targets.ts';

function targets(ownPort = 7077): Targets {
  const targets = new Targets((port) => port === ownPort);
  const host = [
    ['192.0.2.10', 24],
    ['198.51.100.0', 31],
    ['203.0.113.77', 28],
    ['127.0.0.1', 8],
    ['2001:db8::10', 64],
  ] as const;
  targets.handleHost(host.map(([text, prefixLength]) => ({ address: parseAddress(text) as IpAddress, prefixLength })));
  return targets;
}

function refuses(text: string, ownPort?: number): boolean {
  return targets(ownPort).refuses(parseEndpoint(text) as Endpoint);
}

describe('an endpoint that somebody names', () => {
  const refused: [what: string, text: string][] = [
    ['an address of this host', '192.0.2.10:7077'],
    ['an address of this host', '[2001:db8::10]:7077'],
    ['an address of this host in a 6to4 address', '[2002:c000:20a::1]:7077'],
    ['an address of this host behind NAT64', '[64:ff9b::192.0.2.10]:7077'],
    ['loopback behind NAT64', '[64:ff9b::127.0.0.1]:7077'],
    ['loopback in a 6to4 address', '[2002:7f00:1::]:7077'],
    ['loopback in a compatible address', '[::127.0.0.1]:7077'],
    ['loopback in a mapped address', '[::ffff:127.0.0.1]:7077'],
    ['the broadcast address of one of its links', '192.0.2.255:7077'],
    ['the broadcast address of one of its links', '203.0.113.79:7077'],
    ['the broadcast address of old', '203.0.113.64:7077'],
    ['a broadcast address in a 6to4 address', '[2002:c000:2ff::]:7077'],
    ['a system port', '192.0.2.11:53'],
    ['a system port', '192.0.2.11:1023'],
    ['the mesh itself', '[fd77::1]:7077'],
    ['everybody', '255.255.255.255:7077'],
    ['no port', '192.0.2.11:0'],
  ];
  for (const [what, text] of refused) it(`is refused if it is ${what}: ${text}`, () => assert.ok(refuses(text)));

  const taken: [what: string, text: string][] = [
    ['another host of the link', '192.0.2.11:7077'],
    ['the other end of a link of two', '198.51.100.1:7077'],
    ['the last address of another link', '198.18.0.255:7077'],
    ['a host behind NAT64', '[64:ff9b::192.0.2.11]:1024'],
  ];
  for (const [what, text] of taken) it(`is taken if it is ${what}: ${text}`, () => assert.equal(refuses(text), false));

  it('may have a system port that this node is bound to itself', () =>
    assert.equal(refuses('192.0.2.11:443', 443), false));
});
