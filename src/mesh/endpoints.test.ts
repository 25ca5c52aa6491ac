import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEndpoint, parseEndpoint, type Endpoint } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { Candidates, isWorthDescribing } from './endpoints.ts';

function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  assert.ok(parsed, text);
  return parsed;
}

describe('an endpoint', () => {
  const rows: [string, boolean][] = [
    ['192.0.2.1:51820', true],
    ['10.0.0.1:1', true],
    ['[2001:db8::1]:51820', true],
    ['[fd00::1]:51820', true],
    // Means something on one link only.
    ['[fe80::1%3]:51820', false],
    ['169.254.1.1:51820', false],
    // Leads back to the reader, or to many.
    ['127.0.0.1:51820', false],
    ['[::1]:51820', false],
    ['0.0.0.0:51820', false],
    ['[::]:51820', false],
    ['224.0.0.1:51820', false],
    ['255.255.255.255:51820', false],
    ['[ff02::1%3]:51820', false],
    // Inside the mesh.
    ['[fd77::1]:51820', false],
    ['192.0.2.1:0', false],
  ];
  for (const [text, worth] of rows) {
    it(`${text} is ${worth ? '' : 'not '}worth describing`, () =>
      assert.equal(isWorthDescribing(endpoint(text)), worth));
  }
});

describe('the candidates of a node', () => {
  it('are those it was heard from, the latest first, then those it describes', () => {
    const candidates = new Candidates();
    candidates.describe(['192.0.2.1:1', '192.0.2.2:2', '[fe80::9]:3'].map(endpoint));
    candidates.hear(endpoint('192.0.2.2:2'), millis(0));
    candidates.hear(endpoint('[fe80::1%3]:7'), millis(1));
    assert.deepEqual(candidates.list().map(formatEndpoint), ['[fe80::1%3]:7', '192.0.2.2:2', '192.0.2.1:1']);
  });

  it('are few, and none that was last heard long ago', () => {
    const candidates = new Candidates();
    for (let n = 1; n <= 100; n++) candidates.hear(endpoint(`192.0.2.${n}:1`), millis(n));
    assert.equal(candidates.list().length, 4);
    candidates.hear(endpoint('198.51.100.1:1'), seconds(3600));
    assert.deepEqual(candidates.list().map(formatEndpoint), ['198.51.100.1:1']);
  });
});
