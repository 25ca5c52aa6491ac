import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAddress, parseEndpoint, type Endpoint } from '../inet/index.ts';
import { exploreInterleavings } from '../wireguard/interleavings-for-testing.ts';
import { SharedEndpoint } from './shared-endpoint.ts';

const HERE: Endpoint = parseEndpoint('192.0.2.1:51820')!;
const THERE: Endpoint = { ...parseEndpoint('198.51.100.7:7')!, local: parseAddress('203.0.113.9')! };
const IPV6: Endpoint = { ...parseEndpoint('[fe80::1]:51820')!, scopeId: 3, local: parseAddress('fe80::2')! };

describe('an endpoint that threads share', () => {
  it('is what was written last, in every thread, and unknown before', () => {
    const here = new SharedEndpoint();
    const there = new SharedEndpoint(here.memory);
    assert.equal(there.get(), undefined);
    for (const endpoint of [HERE, THERE, IPV6, HERE]) {
      here.set(endpoint);
      assert.deepEqual([here.get(), there.get()], [endpoint, endpoint]);
    }
  });

  it('is the same object until it changes', () => {
    const here = new SharedEndpoint();
    const there = new SharedEndpoint(here.memory);
    here.set(HERE);
    assert.equal(there.get(), there.get());
  });

  it('is never a mixture of two, in whatever order the steps of threads happen', () => {
    const memory = new SharedEndpoint().memory;
    new SharedEndpoint(memory).set(HERE);
    const write = (endpoint: Endpoint) => () => new SharedEndpoint(memory).set(endpoint);
    const read = () => new SharedEndpoint(memory).get();
    const isWhole = (seen: unknown) =>
      [undefined, HERE, THERE].some((endpoint) => JSON.stringify(endpoint) === JSON.stringify(seen));
    exploreInterleavings<unknown>([[write(THERE)], [read]], (calls) => {
      for (const { thread, result } of calls) if (thread === 1) assert.ok(isWhole(result), JSON.stringify(result));
    });
    exploreInterleavings<unknown>([[write(THERE)], [write(HERE)]], () => {
      const seen = read();
      assert.ok(seen !== undefined && isWhole(seen), JSON.stringify(seen));
    });
  });
});
