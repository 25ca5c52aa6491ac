import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatAddress, parseAddress, type IpAddress } from './address.ts';
import { embeddedIpv4 } from './embedded.ts';

describe('the IPv4 address inside', () => {
  const rows: [text: string, inside: string | undefined][] = [
    ['192.0.2.1', undefined],
    ['2001:db8::1', undefined],
    ['fd00::7f00:1', undefined],
    ['::127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::ffff:0:127.0.0.1', '127.0.0.1'],
    ['64:ff9b::127.0.0.1', '127.0.0.1'],
    ['64:ff9b:1::127.0.0.1', '127.0.0.1'],
    ['2002:7f00:1::9', '127.0.0.1'],
    ['2001:0:c000:201::80ff:fffe', '127.0.0.1'],
    ['2001:db8::5efe:127.0.0.1', '127.0.0.1'],
    ['2001:db8::200:5efe:127.0.0.1', '127.0.0.1'],
  ];
  for (const [text, inside] of rows) {
    it(`of ${text} is ${inside ?? 'none'}`, () => {
      const found = embeddedIpv4(parseAddress(text) as IpAddress);
      assert.equal(found && formatAddress(found), inside);
    });
  }
});
