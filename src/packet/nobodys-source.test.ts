import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress } from '../inet/index.ts';
import { IPV4, IPV6 } from './ip.ts';
import { isNobodysSource } from './nobodys-source.ts';

/** The start of a packet from `source`, somewhere in a larger buffer. */
function from(source: string): { bytes: Uint8Array; offset: number } {
  const address = parseAddress(source);
  assert.ok(address);
  const offset = 64;
  const bytes = new Uint8Array(offset + IPV6.end);
  bytes[offset] = address.family === 4 ? 0x45 : 0x60;
  bytes.set(address.bytes, offset + (address.family === 4 ? IPV4.source : IPV6.source));
  return { bytes, offset };
}

describe('a source inside the tunnel', () => {
  const nobodys = ['fe80::1', 'febf::1', '::', '::1', '::ffff:10.0.0.1', '::10.0.0.1', 'ff02::1', 'ff0e::1'];
  const nobodysIpv4 = ['0.0.0.0', '0.1.2.3', '127.0.0.1', '169.254.1.1', '224.0.0.1', '239.1.1.1', '240.0.0.1'];
  for (const source of [...nobodys, ...nobodysIpv4, '255.255.255.255']) {
    it(`is nobody's if it is ${source}`, () => {
      const { bytes, offset } = from(source);
      assert.equal(isNobodysSource(bytes, offset), true);
    });
  }

  const somebodys = ['fd77::1', 'fe7f::1', 'fec0::1', '2001:db8::1', '64:ff9b::a00:1', 'fc00::1', '1::'];
  for (const source of [...somebodys, '10.0.0.1', '1.0.0.1', '126.1.1.1', '128.0.0.1', '169.253.1.1', '223.1.1.1']) {
    it(`may be somebody's if it is ${source}`, () => {
      const { bytes, offset } = from(source);
      assert.equal(isNobodysSource(bytes, offset), false);
    });
  }
});
