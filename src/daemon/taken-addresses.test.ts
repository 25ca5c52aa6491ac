import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parsePrefix } from '../inet/index.ts';
import { refuseTakenAddresses } from './taken-addresses.ts';

const links = [
  { index: 2, name: 'eth0' },
  { index: 3, name: 'wm0' },
];

function refuse(address: string, interfaceIndex: number): void {
  const entry = { address: parseAddress(address)!, interfaceIndex, prefixLength: 24, isTentative: false };
  refuseTakenAddresses([parsePrefix('192.0.2.1/32')!], { addresses: [entry], links, tunnel: 'wm0' });
}

describe('an address of the configuration', () => {
  it('is refused where another interface has it, with what to say instead', () => {
    assert.throws(
      () => refuse('192.0.2.1', 2),
      /192\.0\.2\.1 is an address of eth0 already.*prefix = "192\.0\.2\.1\/32"$/,
    );
  });

  it('may be on the interface of the mesh, and beside others', () => {
    refuse('192.0.2.1', 3);
    refuse('192.0.2.2', 2);
  });
});
