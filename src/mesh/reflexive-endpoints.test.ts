import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatEndpoint, parseEndpoint } from '../inet/index.ts';
import { millis, seconds } from '../machine/index.ts';
import { ReflexiveEndpoints } from './reflexive-endpoints.ts';

const HERE = parseEndpoint('203.0.113.1:7077')!;
const THERE = parseEndpoint('203.0.113.1:40000')!;
const start = millis(0);

const listed = (endpoints: ReflexiveEndpoints, now = start) => endpoints.list(now).map(formatEndpoint);

describe('the endpoints under which a node is seen', () => {
  it('are what others report, the one that most of them see first', () => {
    const endpoints = new ReflexiveEndpoints();
    endpoints.handleReport('a', THERE, start);
    endpoints.handleReport('b', HERE, start);
    endpoints.handleReport('c', HERE, start);
    assert.deepEqual(listed(endpoints), ['203.0.113.1:7077', '203.0.113.1:40000']);
  });

  it('are what each observer said last', () => {
    const endpoints = new ReflexiveEndpoints();
    endpoints.handleReport('a', THERE, start);
    endpoints.handleReport('a', HERE, start);
    assert.deepEqual(listed(endpoints), ['203.0.113.1:7077']);
  });

  it('are forgotten when nobody has seen them for two minutes', () => {
    const endpoints = new ReflexiveEndpoints();
    endpoints.handleReport('a', HERE, start);
    assert.deepEqual(listed(endpoints, seconds(119)), ['203.0.113.1:7077']);
    assert.deepEqual(listed(endpoints, seconds(120)), []);
  });

  it('are none that mean nothing to others', () => {
    const endpoints = new ReflexiveEndpoints();
    for (const text of ['127.0.0.1:1', '[fe80::1]:1', '[fd77::1]:7079', '0.0.0.0:5', '224.0.0.1:1']) {
      endpoints.handleReport('a', parseEndpoint(text)!, start);
    }
    assert.deepEqual(listed(endpoints), []);
  });

  it('are remembered of sixteen observers at most, the latest', () => {
    const endpoints = new ReflexiveEndpoints();
    endpoints.handleReport('first', THERE, start);
    for (let i = 0; i < 16; i++) endpoints.handleReport(`observer ${i}`, HERE, start);
    assert.deepEqual(listed(endpoints), ['203.0.113.1:7077']);
  });
});
