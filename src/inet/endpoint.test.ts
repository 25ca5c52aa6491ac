import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEndpoint, parseEndpoint } from './endpoint.ts';

describe('an endpoint in text', () => {
  it('is read and written in its canonical form', () => {
    for (const [text, canonical] of [
      ['192.0.2.1:51820', '192.0.2.1:51820'],
      ['[2001:DB8:0::1]:7', '[2001:db8::1]:7'],
      ['[fe80::1%4294967295]:65535', '[fe80::1%4294967295]:65535'],
      ['[2001:db8::1%3]:1', '[2001:db8::1]:1'],
      ['[::ffff:192.0.2.1]:1', '192.0.2.1:1'],
    ]) {
      assert.equal(formatEndpoint(parseEndpoint(text)!), canonical);
    }
  });

  it('is refused where a port or a zone is more than its field holds, and where it is no endpoint', () => {
    const zones = ['4294967296', '9'.repeat(400)].map((zone) => `[fe80::1%${zone}]:1`);
    for (const text of [...zones, '192.0.2.1:65536', '192.0.2.1', '[192.0.2.1]:1', '2001:db8::1:1', 'host:1', '']) {
      assert.equal(parseEndpoint(text), undefined, text);
    }
  });
});
